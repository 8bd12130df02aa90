"""People in pictures whose joints are known, cut as the pose network wants them: photographs, videos, walkers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitnet.cli.output import note

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.recognizer import GaitRecognizer, Person
    from humanpose.datasets.record import PoseRecord

WALKER_FRAMES = 32
BATCH = 32


class Pictures(NamedTuple):
    """Some people to find joints in: `crops`, `affines` to pixels in which `keypoints` and `visible` are given."""

    crops: "np.ndarray"
    affines: "np.ndarray"
    mirrored: "np.ndarray"
    keypoints: "np.ndarray"
    visible: "np.ndarray"
    owners: list[str]
    torso: "np.ndarray | None" = None
    """Length (person,) in the same pixels, where it is known although joints are hidden."""
    boxes: "np.ndarray | None" = None
    """About each whole person, in the same pixels; without them the visible joints make them."""
    records: "Sequence[PoseRecord]" = ()
    """Where each person is to be seen, if in a file."""
    places: Sequence[int] = ()
    """Place of each record among those of its film."""
    heads: "np.ndarray | None" = None
    """Length (person,) that the data set tells as the head's, in the same pixels; NaN where it does not."""


def found_joints(recognizer: "GaitRecognizer", pictures: Pictures) -> "np.ndarray":
    """Joints (person, joint, xy) in the references' pixels; a mirrored crop's sides get their own names back."""
    import numpy as np

    from humanpose.skeleton import FLIP

    keypoints = recognizer.joints_of_crops(pictures.crops, pictures.affines).first.keypoints
    return np.where(pictures.mirrored[:, None, None], keypoints[:, FLIP], keypoints)


def of_records(records: "Sequence[PoseRecord]", size: tuple[int, int]) -> Iterator[Pictures]:
    """Batches of people in photographs or in frames of videos, in their order.

    Pictures that cannot be read are left out, and counted in a note at the end.
    """
    from humanpose.datasets.pictures import pictures_of

    def batch() -> Pictures:
        places, part, images = zip(*waiting, strict=True)
        return _cropped(part, places, images, size, [False] * len(part), [shown_in(record) for record in part])

    waiting: list[tuple[int, PoseRecord, np.ndarray]] = []
    lost: list[str] = []
    done = 0
    for together, picture, why in pictures_of(records):
        if picture is None:
            lost += [why] * len(together)
        else:
            waiting += [(done + place, record, picture) for place, record in enumerate(together)]
        done += len(together)
        if len(waiting) >= BATCH:
            yield batch()
            waiting = []
    if waiting:
        yield batch()
    if lost:
        name = records[0].source
        note(f"{name}: {len(lost)} of {done} people are left out, for their pictures cannot be read; first {lost[0]}")


def shown_in(record: "PoseRecord") -> str:
    """What an annotated person is to be seen in: a photograph, or the recording of somebody."""
    if record.frame is None and not record.camera:
        return record.path.stem
    return " ".join(part for part in (record.subject, record.action, record.camera) if part)


def of_landmarks(records: "Sequence[PoseRecord]", size: tuple[int, int], every: int = 1) -> Iterator[Pictures]:
    """Batches of a video's reference landmarks; whoever walks to the left is mirrored.

    Raises ValueError where the video ends before its landmarks do: left out, they would not be missed.
    """
    from gaitnet.video.read import read_video
    from humanpose.datasets.landmarks import walks_left

    mirrored = walks_left(records)
    kept = [place for place in range(0, len(records), every) if records[place].has_extent]
    if not kept:
        return
    wanted = {records[place].frame for place in kept}
    last = max(records[place].frame or 0 for place in kept)
    images: dict[int, np.ndarray] = {}
    waiting: list[int] = sorted(kept, key=lambda place: records[place].frame or 0)
    for frame in read_video(film_of(records[0])):
        if frame.index in wanted:
            images[frame.index] = frame.image
        ready = [place for place in waiting if (records[place].frame or 0) <= frame.index]
        if len(ready) >= BATCH or (ready and frame.index >= last):
            part = [records[place] for place in ready]
            pictures = [images[record.frame or 0] for record in part]
            left, owners = [mirrored[place] for place in ready], [owner_of(record) for record in part]
            yield _cropped(part, ready, pictures, size, left, owners)
            waiting, images = waiting[len(ready) :], {}
        if frame.index >= last:
            return
    raise ValueError(
        f"{film_of(records[0])} has no frame {last}, which its landmarks describe: it is another, or cut off"
    )


def followed(recognizer: "GaitRecognizer", film: Path) -> "list[Person]":
    """Those in a film to whom `gaitnet pose` gives joints: whoever is followed, described or not."""
    from gaitnet.cli.pose_follow import add_joints

    people = recognizer.describe(film)
    add_joints(recognizer, film, people)
    return [one for one in people if one.probability.any()]


def as_followed(records: "Sequence[PoseRecord]", people: "Sequence[Person]") -> "tuple[Pictures, np.ndarray]":
    """A film's references, and the joints of the one among its `people` who was followed there; NaN, a miss, if none.

    Where several are, it is the one whose box has its middle nearest to the reference's joints.
    """
    import numpy as np

    found = np.full((len(records), 16, 2), np.nan)
    for place, record in enumerate(records):
        if not record.visible.any():
            continue
        middle = record.keypoints[record.visible].mean(axis=0)
        nearest = np.inf
        for one in people:
            row = int(np.searchsorted(one.frames, record.frame or 0))
            if row < len(one.frames) and one.frames[row] == record.frame:
                box = one.boxes[row]
                away = float(np.hypot(*((box[:2] + box[2:]) / 2 - middle)))
                # people who cross are in each other's boxes
                if away < nearest and box[0] <= middle[0] <= box[2] and box[1] <= middle[1] <= box[3]:
                    found[place], nearest = one.keypoints[row], away
    empty, sides = np.zeros((len(records), 0)), np.zeros(len(records), bool)
    owners = [owner_of(record) for record in records]
    return _known(empty, empty, sides, records, range(len(records)), owners), found


def film_of(record: "PoseRecord") -> Path:
    """The film that a reference is of, in whatever container it is kept."""
    from humanpose.datasets import kth

    return kth.film_of(record.path)


def owner_of(record: "PoseRecord") -> str:
    """Whose picture it is, as far as the name of a film tells: the three films of a KTH person are of one."""
    return record.source.split("_")[0]


def _cropped(
    records: "Sequence[PoseRecord]",
    places: Sequence[int],
    images: "Sequence[np.ndarray]",
    size: tuple[int, int],
    mirrored: Sequence[bool],
    owners: list[str],
) -> Pictures:
    import numpy as np

    from humanpose.preprocess import crop, crop_affine

    boxes = [box_of(record) for record in records]
    affines = np.stack([crop_affine(box, size, mirror=left) for box, left in zip(boxes, mirrored, strict=True)])
    crops = np.stack([crop(image, affine, size) for image, affine in zip(images, affines, strict=True)])
    return _known(crops, affines, np.array(mirrored), records, places, owners)


def _known(
    crops: "np.ndarray",
    affines: "np.ndarray",
    mirrored: "np.ndarray",
    records: "Sequence[PoseRecord]",
    places: Sequence[int],
    owners: list[str],
) -> Pictures:
    import numpy as np

    keypoints, visible = (np.stack([getattr(one, name) for one in records]) for name in ("keypoints", "visible"))
    boxes = np.stack([box_of(record) for record in records])
    heads = np.array([record.head for record in records])
    return Pictures(
        crops, affines, mirrored, keypoints, visible, owners, boxes=boxes, records=records, places=list(places),
        heads=heads,
    )  # fmt: skip


def box_of(record: "PoseRecord") -> "np.ndarray":
    """The box that a person's crop is cut by: the annotated one, or the body's about landmarks, which lack the head."""
    from humanpose.datasets.landmarks import body_box
    from humanpose.skeleton import INDEX

    return record.box if record.frame is None or record.visible[INDEX["head_top"]] else body_box(record)


def of_walkers(side: bool, people: int, size: tuple[int, int]) -> Iterator[Pictures]:
    """Rendered walkers who were never trained on, in every condition: from the side, or from anywhere."""
    import numpy as np

    from gaitnet.walkers.walk import CONDITIONS
    from gaitnet.walkers.walks import EVALUATION, Crowd, WalkPlan
    from humanpose.metrics import torso_length
    from humanpose.preprocess import box_from_keypoints

    crowd = Crowd(EVALUATION + 2, WALKER_FRAMES, size=size)
    for number in range(people):
        view = 90.0 if side else 180.0 * (number + 0.5) / people
        plan = WalkPlan(number, CONDITIONS[number % len(CONDITIONS)], view=view, to_left=number % 2 == 1)
        walk = crowd.render(plan)
        count, everything = len(walk.crops), np.ones(walk.keypoints.shape[:2])
        yield Pictures(
            walk.crops,
            walk.affines,
            np.full(count, walk.mirrored),
            walk.keypoints,
            walk.visible,
            [f"walker {number}"] * count,
            torso_length(walk.keypoints, everything),
            box_from_keypoints(walk.keypoints, everything),
        )
