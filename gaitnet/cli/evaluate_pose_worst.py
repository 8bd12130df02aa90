"""The people whose joints were found worst: contact sheets and a page, joints found beside those of the reference."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.evaluate_pose_tally import slug

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.cli.evaluate_pose_pictures import Pictures
    from gaitnet.evaluation.joints import Errors
    from humanpose.datasets.record import PoseRecord

OVERALL, OF_A_KIND = 24, 8
"""How many are kept of the worst over all joints, and of the worst of each kind of joint."""
SIZE, ROOM = (288, 216), 1.6
"""Height and width of a picture shown, and how much more than the person it holds."""
COLUMNS, ABOVE = 8, 32
"""Pictures side by side on a sheet, and pixels above each for its name."""
SOON = 5
"""Frames within which a walker is not shown again: the worse of both stands for the other."""
WRONG = 0.2
"""Torsos from which a joint is shown as wrong."""


class Case(NamedTuple):
    """One person: what is written, mean errors (of all joints, then of each kind; NaN where none), and the joints."""

    title: str
    moment: tuple[str, int]
    """Film and frame, or what comes nearest to it."""
    errors: "np.ndarray"
    found: "np.ndarray"
    keypoints: "np.ndarray"
    counted: "np.ndarray"
    wrong: "np.ndarray"
    record: Any
    held: "tuple[np.ndarray, np.ndarray] | None"
    """Crop and affine of whom no file shows: a walker."""


class Worst:
    """Keeps the worst people of a set while they pass by."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(self, pictures: "Pictures", found: "np.ndarray", errors: "Errors") -> None:
        """Look at the joints found in some pictures; people in whom nothing was found are not kept."""
        import numpy as np

        from gaitnet.evaluation.joints import GROUPS

        shown = [(record.path, record.frame) for record in pictures.records]
        together = Counter(shown)
        grid = errors.on_grid()
        with np.errstate(invalid="ignore"):
            wrong = errors.distance > WRONG * errors.torso[:, None]
        for row in np.flatnonzero(np.isfinite(grid).any(axis=1)).tolist():
            kinds = [grid[row], *(grid[row, joints] for joints in GROUPS.values())]
            means = [float(np.nanmean(kind)) if np.isfinite(kind).any() else float("nan") for kind in kinds]
            record = pictures.records[row] if pictures.records else None
            held: tuple[np.ndarray, np.ndarray] | None = None
            if record is None:
                title, moment = pictures.owners[row], (pictures.owners[row], row)
                held = pictures.crops[row].copy(), pictures.affines[row]
            else:
                title, moment = _named(record, pictures.owners[row], together[shown[row]] > 1)
            counted = np.isfinite(errors.distance[row])
            joints = found[row], pictures.keypoints[row], counted, wrong[row]
            self.cases.append(Case(title, moment, np.array(means), *joints, record, held))
        kept = sorted({place for ranks in self.ranks() for place in ranks})
        self.cases = [self.cases[place] for place in kept]

    def ranks(self) -> list[list[int]]:
        """Places of the worst cases, over all joints and then by each kind of joint, the worst first."""
        import numpy as np

        if not self.cases:
            return []
        ranks = []
        for kind, errors in enumerate(np.stack([case.errors for case in self.cases]).T):
            rank: list[int] = []
            for place in np.argsort(-np.where(np.isnan(errors), -np.inf, errors), kind="stable").tolist():
                if len(rank) == (OF_A_KIND if kind else OVERALL) or not np.isfinite(errors[place]):
                    break
                if not any(_same(self.cases[place], self.cases[other]) for other in rank):
                    rank.append(place)
            ranks.append(rank)
        return ranks


def _named(record: "PoseRecord", owner: str, in_company: bool) -> tuple[str, tuple[str, int]]:
    """What a person of a file is called, and the moment; of several in one picture each by the place in it."""
    film = owner if record.subject else record.source
    title = record.path.name if record.frame is None else f"{film} frame {record.frame}"
    if in_company:
        x, y = (record.box[:2] + record.box[2:]) / 2
        title = f"{title} at {x:.0f}, {y:.0f}"
    if record.frame is not None:
        return title, (film, record.frame)
    number = re.search(r"\d+$", record.path.stem) if record.camera else None  # a frame that was extracted
    return title, (title, 0) if number is None else (owner, int(number[0]))


def _same(one: Case, other: Case) -> bool:
    """Whether two cases show the same walker within a moment."""
    import numpy as np

    (film, frame), (another, later) = one.moment, other.moment
    if film != another or abs(frame - later) > SOON or not (one.counted.any() and other.counted.any()):
        return False
    apart = one.keypoints[one.counted].mean(axis=0) - other.keypoints[other.counted].mean(axis=0)
    return bool(np.abs(apart).max() < np.ptp(one.keypoints[one.counted], axis=0).max() / 2)


def write_worst(sets: dict[str, Worst], folder: Path, footer: str) -> list[Path]:
    """Write the page and a contact sheet of each set into the folder."""
    from gaitnet.evaluation.joints import GROUPS
    from gaitnet.evaluation.report import Page, write_whole
    from gaitnet.evaluation.report_gallery import Shown

    written, sections = [], []
    for name, worst in sets.items():
        if not worst.cases:
            continue
        pictures = drawn(worst.cases)
        ranks = worst.ranks()
        sheet = contact_sheet([pictures[place] for place in ranks[0]], [caption(worst.cases[p]) for p in ranks[0]])
        written.append(write_whole(folder / f"pose-worst-{slug(name)}.png", _encoded(sheet, ".png")))
        shown = [
            Shown(
                _encoded(pictures[place], ".jpg"), f"Joints found and of the reference, {case.title}", caption(case),
                {kind: rank.index(place) for kind, rank in enumerate(ranks) if place in rank},
            )
            for place, case in enumerate(worst.cases)
        ]  # fmt: skip
        text = f"The worst {len(ranks[0])} over all joints, and the worst {OF_A_KIND} of each kind of joint."
        sections.append((name, text, shown))
    if sections:
        page = Page("Joints: the worst of each set", LEGEND)
        page.gallery(["all joints", *[kind.replace("_", " ") for kind in GROUPS]], sections)
        written.append(page.footer(footer).write(folder / "pose-worst.html"))
    return written


LEGEND = (
    "Filled dots and limbs are what was found, right orange and left blue; hollow rings and thin white lines are the "
    "reference, their rings in the same colours. A red line leads from each joint that is further than a fifth of the "
    "torso from its reference to where the reference has it. Numbers are pixels of the 299 grid, the mean over the "
    "joints that count. Choose a kind of joint to see the worst of it."
)


def caption(case: Case) -> str:
    """Which person it is and how wrong."""
    return f"{case.title}: {case.errors[0]:.0f} px"


def drawn(cases: Sequence[Case]) -> list["np.ndarray"]:
    """The pictures of some cases, in their order, with both kinds of joints."""
    import numpy as np

    from gaitnet.cli.evaluate_pose_pictures import box_of, film_of
    from gaitnet.video.read import read_video
    from humanpose.datasets.pictures import read_picture
    from humanpose.preprocess import crop, crop_affine

    images: dict[int, np.ndarray] = {}
    films: dict[Path, dict[int, list[int]]] = {}
    for place, case in enumerate(cases):
        if case.held is not None:  # nothing to read again: the crop itself, larger
            held, affine = case.held
            whole = np.array([-0.5, -0.5, held.shape[1] - 0.5, held.shape[0] - 0.5])
            onto = crop_affine(whole, SIZE, margin=1.0)
            images[place] = _joined(crop(held, onto, SIZE), affine @ np.vstack([onto, [0, 0, 1]]), case)
        elif case.record.frame is None:
            affine = crop_affine(box_of(case.record), SIZE, ROOM)
            images[place] = _joined(crop(read_picture(case.record.path), affine, SIZE), affine, case)
        else:
            films.setdefault(film_of(case.record), {}).setdefault(case.record.frame, []).append(place)
    for film, frames in films.items():
        for frame in read_video(film):
            for place in frames.get(frame.index, []):
                affine = crop_affine(box_of(cases[place].record), SIZE, ROOM)
                images[place] = _joined(crop(frame.image, affine, SIZE), affine, cases[place])
            if frame.index >= max(frames):
                break
    return [images[place] for place in range(len(cases))]


def _joined(image: "np.ndarray", affine: "np.ndarray", case: Case) -> "np.ndarray":
    """The picture with the reference's joints as rings and thin lines, those found as dots and limbs."""
    import cv2
    import numpy as np

    from gaitnet.overlay import LEFT, MIDDLE, RIGHT
    from humanpose.preprocess import to_crop
    from humanpose.skeleton import JOINTS, LIMBS

    colours = [{"r_": RIGHT, "l_": LEFT}.get(name[:2], MIDDLE) for name in JOINTS]
    ours, theirs = (
        [(int(x), int(y)) for x, y in np.clip(np.round(8 * to_crop(points, affine)), -9999, 9999)]
        for points in (case.found, case.keypoints)
    )
    canvas = np.ascontiguousarray(image)
    fine: Any = {"lineType": cv2.LINE_AA, "shift": 3}
    for a, b in LIMBS:
        cv2.line(canvas, ours[a], ours[b], colours[a] if colours[a] != MIDDLE else colours[b], 2, **fine)
        if case.counted[a] and case.counted[b]:
            cv2.line(canvas, theirs[a], theirs[b], (255, 255, 255), 1, **fine)
    for joint, colour in enumerate(colours):
        cv2.circle(canvas, ours[joint], 24, colour, -1, **fine)
        if case.counted[joint]:
            if case.wrong[joint]:
                cv2.line(canvas, ours[joint], theirs[joint], (255, 40, 60), 1, **fine)
            cv2.circle(canvas, theirs[joint], 40, (0, 0, 0), 3, **fine)
            cv2.circle(canvas, theirs[joint], 40, colour, 1, **fine)
    return canvas


def contact_sheet(pictures: Sequence["np.ndarray"], captions: Sequence[str]) -> "np.ndarray":
    """Pictures of one size with a text each, side by side."""
    import textwrap

    import cv2
    import numpy as np

    tiles = []
    for picture, text in zip(pictures, captions, strict=True):
        tile = np.full((picture.shape[0] + ABOVE, picture.shape[1] + 4, 3), 255, np.uint8)
        tile[ABOVE:, : picture.shape[1]] = picture
        for line, part in enumerate(textwrap.wrap(text, 34)[:2]):
            place = 2, 13 + 14 * line
            cv2.putText(tile, part, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 25, 35), 1, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)])


def _encoded(image: "np.ndarray", kind: str) -> bytes:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, 82] if kind == ".jpg" else []
    return bytes(cv2.imencode(kind, image[..., ::-1], options)[1])
