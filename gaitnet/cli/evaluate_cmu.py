"""`gaitnet evaluate cmu`: recorded motion on rendered bodies, from pixels to a name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.demo import yardstick
from gaitnet.cli.describe import AsJson, Weights, load
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.evaluate_walks import chosen, joints_of_plan, maps_of, only, result_of, results_of, svm
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.recognizer import GaitRecognizer
    from gaitnet.walkers.dataset import Plan

LONGEST = 12.0
"""Seconds of a clip that are rendered: the longest clips last half a minute and would tell no more."""
RATE = 25.0
"""Pictures a second."""
PADDED = 320
"""Frames to whose multiples a plan is padded, so that it is compiled once."""
WEAR_STREAM = 53
"""Folded into the key of clothes, place and camera: they come from the clip's number, never from the performer."""

LEAD = (
    "Recorded walks move a drawn body, seen from the side; place, light, camera and clothes are drawn anew for every "
    "clip. The first clip of a performer enrols, the others are searched for; performers of one clip are distractors. "
    "On their own bodies performers also differ in build; on one common body only motion is left: that row counts."
)


def cmu(
    root: Annotated[Path, typer.Option(help="Folder of clips named SS_TT.bvh (subject, trial).")],
    performer: Annotated[
        list[str] | None, typer.Option(help="Only this performer; may be repeated. For a quick look.")
    ] = None,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the performers of CMU motion capture clips, rendered as video: own bodies, and one common body.

    [bold]Example[/]
    gaitnet evaluate cmu --root cmu_walk --output results
    """
    import numpy as np

    from gaitnet.datasets.cmu import read_cmu
    from gaitnet.evaluation.intervals import rate_over_subjects
    from gaitnet.evaluation.protocols import CMU

    folder_for(output)
    clips = read_cmu(root)
    if performer:
        clips = chosen(clips, performer, "performer")
    recognizer = load(weights)
    measure = yardstick(weights, recognizer.identity)
    results: dict[str, Any] = {}
    walks: list[list[np.ndarray]] = []
    for common in (True, False):
        walks, colours, places = seen(recognizer, clips, common)
        named = "one common body" if common else "own body"
        for method, result in results_of(recognizer, CMU, clips, walks, measure).items():
            results[f"{named}: {method}"] = result
        results[f"{named}: colours of the person"] = result_of(CMU, clips, colours, svm)
        results[f"{named}: colours of the place"] = result_of(CMU, clips, places, svm)
    described = rate_over_subjects(
        np.array([bool(walk) for walk in walks]), np.array([clip.subject_id for clip in clips])
    )
    outcome = Outcome(
        "cmu", "CMU motion capture, rendered, from pixels to a name", LEAD, results, described,
        footer=f"gaitnet evaluate cmu --root {root}{only('performer', performer)}; weights {recognizer.identity}. "
        "Data: mocap.cs.cmu.edu.",
    )  # fmt: skip
    deliver(outcome, output, as_json)


def seen(
    recognizer: "GaitRecognizer", clips: "Sequence[Walk]", common: bool
) -> "tuple[list[list[np.ndarray]], list[np.ndarray | None], list[np.ndarray | None]]":
    """Pose maps of each clip as the pose network sees it rendered; colour histograms of the person and of the place."""
    import numpy as np

    from gaitnet.evaluation.controls import colour_histograms

    walks: list[list[np.ndarray]] = []
    colours: list[np.ndarray | None] = []
    places: list[np.ndarray | None] = []
    with bar("one common body" if common else "own bodies", "clips") as progress:
        for number, clip in enumerate(clips):
            drawn: list[Any] = []
            person = joints_of_plan(
                recognizer, plan_of_clip(clip.path, number, common, recognizer.pose.size), RATE, drawn
            )
            walks.append(maps_of(person, np.ones(len(person.frames), bool)))
            pictures = [(np.asarray(chunk.frames[0]), _box(np.asarray(chunk.silhouettes[0]))) for chunk in drawn]
            both = [colour_histograms(picture, box) for picture, box in pictures]
            for kept, number_of in ((colours, 0), (places, 1)):
                kept.append(np.stack([histograms[number_of] for histograms in both]))
            progress(number + 1, len(clips))
    return walks, colours, places


def plan_of_clip(path: Path, number: int, common: bool, size: tuple[int, int], rate: float = RATE) -> "Plan":
    """What is drawn of a BVH clip: the motion on the body, walking to the right before a camera at its side.

    The camera goes along, so that it keeps its direction to the performer's heading.

    Args:
        path: the clip.
        number: of the clip in its folder; clothes, place, light and camera are drawn from it.
        common: put the motion on the common body instead of the performer's own.
        size: (height, width) of the crops in pixels.
        rate: pictures a second.

    """
    import jax
    import numpy as np

    from gaitnet.walkers.body import common_body
    from gaitnet.walkers.bvh import Motion, align_heading, read_bvh, resample
    from gaitnet.walkers.dataset import PELVIS
    from gaitnet.walkers.retarget import body_of, retarget

    motion = read_bvh(path)
    points = align_heading(motion.points[: int(LONGEST * motion.frame_rate)], motion.frame_rate)
    body = common_body() if common else body_of(points)
    moved = Motion(retarget(points, body, motion.frame_rate), motion.heading[: len(points)], motion.frame_rate)
    points = resample(moved, rate).points
    points = points - points[:1, PELVIS] * np.array([1.0, 1.0, 0.0], np.float32)
    key = jax.random.fold_in(jax.random.key(WEAR_STREAM), number)
    return planned(key, points, np.asarray(body.radii), size)


def planned(key: Any, points: "np.ndarray", radii: "np.ndarray", size: tuple[int, int]) -> "Plan":
    """A plan of crops of these points (time, point, xyz), along +x, with NumPy leaves; padded to compile once."""
    import jax
    import numpy as np

    count = len(points)
    padded = np.pad(points, ((0, -count % PADDED), (0, 0), (0, 0)), mode="edge").astype(np.float32)
    plan = jax.tree.map(np.asarray, jax.jit(_plan, static_argnums=3)(key, padded, radii, size))
    cameras = jax.tree.map(lambda leaf: leaf[:count], plan.cameras)
    return plan._replace(points=plan.points[:count], cameras=cameras, seeds=plan.seeds[:count])


def _plan(key: Any, points: Any, radii: Any, size: tuple[int, int]) -> "Plan":
    import jax
    import jax.numpy as jnp

    from gaitnet.walkers.appearance import draw_appearance
    from gaitnet.walkers.camera import crop_camera, draw_camera, person_box, person_crop
    from gaitnet.walkers.dataset import PELVIS, PICTURE, REACH, Plan, box_errors
    from gaitnet.walkers.scene import draw_scene

    of_wear, of_scene, of_camera, of_noise, of_box = jax.random.split(key, 5)
    tripod = draw_camera(of_camera, 90.0, PICTURE, side=-1.0)

    shifts, scales = box_errors(of_box, len(points), 1.0)

    def camera_at(body: Any, shift: Any, scale: Any) -> Any:
        along = tripod._replace(target=tripod.target.at[:2].add(body[PELVIS, :2]))
        box = person_box(along, body, jnp.full(body.shape[0], REACH))
        return crop_camera(along, person_crop(box, size, shift, scale), size)

    seeds = jax.random.bits(of_noise, (len(points),), jnp.uint32)
    return Plan(
        points,
        radii,
        draw_appearance(of_wear),
        jax.vmap(camera_at)(points, shifts, scales),
        draw_scene(of_scene),
        seeds,
    )


def _box(silhouette: "np.ndarray") -> "np.ndarray":
    import numpy as np

    rows, columns = np.nonzero(silhouette > 0.5)
    if not len(rows):
        return np.zeros(4)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
