"""`gaitnet evaluate pose`: the pose network against annotated photographs, reference landmarks and walkers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Weights, load
from gaitnet.cli.evaluate_output import Output, Tables, deliver_tables, folder_for
from gaitnet.cli.evaluate_pose_pictures import (
    Pictures,
    as_followed,
    found_joints,
    of_landmarks,
    of_photographs,
    of_walkers,
)
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.recognizer import GaitRecognizer

GROUPS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder", "upper_neck", "head_top")
WALKERS = 20

LEAD = (
    "PCK@0.2: the share of joints found within a fifth of the torso, the longer visible diagonal from a shoulder "
    "to the opposite hip; people with neither diagonal are left out and counted. Crops are cut by the reference's "
    "joints; \u201cas followed\u201d, the people are followed in the video as by `gaitnet describe`, and whoever "
    "is not is missed. Whoever walks to the left is mirrored. BlazePose references are estimates; only their "
    "12 limb joints count."
)


def pose(
    root: Annotated[Path, typer.Option(help="Folder with lspet, kth_walking and clips; what is missing is left out.")],
    every: Annotated[int, typer.Option(min=1, help="Only every so many-th picture. For a quick look.")] = 1,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Measure the joints: photographs held out of training, KTH persons held out, real clips, and rendered walkers.

    [bold]Example[/]
    gaitnet evaluate pose --root data --output results
    """
    folder_for(output)
    if not root.is_dir():
        raise ValueError(f"--root: expected the folder of the data sets, got {root}, which is not a folder")
    recognizer = load(weights)
    header, columns = ["joint"], [["all [95 %]", *[name.replace("_", " ") for name in GROUPS], "people", "left out"]]
    with bar("finding joints", "people") as progress:
        done = 0
        for name, joints, sets in _sets(recognizer, root, every):
            tally = Tally(joints)
            for pictures, found in sets:
                tally.add(pictures, found)
                done += len(pictures.owners)
                progress(done, None)
            header.append(name)
            columns.append(tally.line())
    footer = f"gaitnet evaluate pose --root {root}" + (f" --every {every}" if every > 1 else "")
    page = Tables(
        "pose",
        "Joints in pictures",
        LEAD,
        [("PCK@0.2 (torso), %", header, [list(line) for line in zip(*columns, strict=True)])],
        [],
        footer,
    )
    deliver_tables(page, output, as_json)


class Tally:
    """Hits of some joints over people, and whose they are."""

    def __init__(self, joints: Sequence[int]):
        self.joints = list(joints)
        self.score: Any = None
        self.hits: list[float] = []
        self.owners: list[str] = []

    def add(self, pictures: Pictures, found: "np.ndarray") -> None:
        """Count the joints found (person, joint, xy) in some pictures."""
        import numpy as np

        from humanpose.metrics import pck

        counted = np.zeros(16, bool)
        counted[self.joints] = True
        for place, owner in enumerate(pictures.owners):
            # the torso is measured with all that is visible; only then do the joints that do not count drop out
            torso = None if pictures.torso is None else pictures.torso[place]
            score = pck(found[place], pictures.keypoints[place], pictures.visible[place], reference=torso)
            hit = (score.count > 0) & counted
            self.hits += score.total[hit].tolist()
            self.owners += [owner] * int(hit.sum())
            self.score = score if self.score is None else self.score + score

    def line(self) -> list[Any]:
        """Overall rate, rate of each of GROUPS in percent, people scored and left out."""
        import numpy as np

        from gaitnet.evaluation.intervals import rate_over_subjects
        from humanpose.skeleton import JOINTS

        if self.score is None or not self.hits:
            return [None, *[None] * len(GROUPS), 0, 0 if self.score is None else self.score.left_out]
        rate = rate_over_subjects(np.array(self.hits), np.array(self.owners))
        each: list[float | None] = []
        for name in GROUPS:
            members = [joint for joint in self.joints if JOINTS[joint] in (name, f"r_{name}", f"l_{name}")]
            share = self.score.over(members) if members else float("nan")
            each.append(None if share != share else round(100 * share, 1))
        return [rate, *each, self.score.images, self.score.left_out]


def _sets(
    recognizer: "GaitRecognizer", root: Path, every: int
) -> "Iterator[tuple[str, Sequence[int], Iterator[tuple[Pictures, np.ndarray]]]]":
    """Name, joints that count, and the pictures of each set that is there with what is found in them."""
    from gaitnet.datasets.kth import VALIDATION_PERSONS
    from humanpose.datasets.landmarks import read_landmarks
    from humanpose.datasets.lsp import LSPET_TRAINED, number_of, read_lsp
    from humanpose.skeleton import INDEX, LIMB_JOINTS

    size = recognizer.pose.size

    def looked_at(sets: Iterator[Pictures]) -> "Iterator[tuple[Pictures, np.ndarray]]":
        return ((pictures, found_joints(recognizer, pictures)) for pictures in sets)

    if (root / "lspet" / "joints.mat").is_file():
        held_out = [one for one in read_lsp(root / "lspet") if number_of(one) > LSPET_TRAINED and one.has_extent]
        # pelvis and thorax are no annotations of their own there
        joints = [joint for name, joint in INDEX.items() if name not in ("pelvis", "thorax")]
        yield f"LSPET from {LSPET_TRAINED + 1}", joints, looked_at(of_photographs(held_out[::every], size))
    kth = root / "kth_walking"
    references = [
        (f"KTH {' '.join(VALIDATION_PERSONS)}",
         [file for who in VALIDATION_PERSONS for file in sorted(kth.glob(f"person{who}_*.reference.json"))]),
        ("clips", sorted((root / "clips").glob("*.reference.json"))),
    ]  # fmt: skip
    for name, files in references:
        if files:
            yield (
                name,
                LIMB_JOINTS,
                looked_at(part for file in files for part in of_landmarks(read_landmarks(file), size, every)),
            )
    if references[1][1]:
        yield (
            "clips, as followed",
            LIMB_JOINTS,
            (as_followed(recognizer, read_landmarks(one)) for one in references[1][1]),
        )
    for name, side in (("walkers, side view", True), ("walkers, any view", False)):
        yield name, list(INDEX.values()), looked_at(of_walkers(side, max(1, WALKERS // every), size))
