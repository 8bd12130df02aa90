"""Use an installed wheel as its user does first; .ci/check_wheel runs this outside the checkout."""

from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import gaitnet
import humanpose

for package in (gaitnet, humanpose):
    if "site-packages" not in Path(package.__file__ or "").parts:
        raise SystemExit(f"smoke: {package.__name__} was imported from {package.__file__}, not from the wheel")
for name in ("train", "tests"):
    if find_spec(name) is not None:
        raise SystemExit(f"smoke: the wheel installed a package named {name}")
if gaitnet.__version__ != version("gaitnet"):
    raise SystemExit(f"smoke: gaitnet says it is {gaitnet.__version__}, its metadata say {version('gaitnet')}")
shipped = sorted(entry.name for entry in (files("gaitnet") / "checkpoints").iterdir())
print(f"smoke: gaitnet {gaitnet.__version__}, checkpoints: {', '.join(shipped)}")

# Enrol two people from a walk each and name them from another: the shipped GaitNN on walkers, as keypoints.
import jax  # noqa: E402
import numpy as np  # noqa: E402

from gaitnet.identification.svm import fit_linear_svm  # noqa: E402
from gaitnet.recognizer import GaitRecognizer  # noqa: E402
from gaitnet.walkers.body import draw_person  # noqa: E402
from gaitnet.walkers.motion import walk_points  # noqa: E402
from gaitnet.walkers.walk import draw_walk  # noqa: E402

recognizer = GaitRecognizer.load()
times = np.arange(40) / 12.5


@jax.jit
def side_view(seed: int, take: int) -> jax.Array:
    """Keypoints (time, joint, xy) of walk `take` of the person of `seed`, from the side, a metre being 100 pixels."""
    person = draw_person(jax.random.key(seed))
    walk = draw_walk(jax.random.key(take), person, 0)
    points = walk_points(person.body, walk, times.astype(np.float32))[:, :16]
    return 100 * jax.numpy.stack([points[..., 0], -points[..., 2]], axis=-1)


def describe(person: int, take: int) -> np.ndarray:
    """The identification vector of a walk."""
    keypoints = np.asarray(side_view(person, take), np.float32)
    return recognizer.windows_of_track(keypoints, np.ones(keypoints.shape[:2], np.float32), times).mean(0)


machine = fit_linear_svm(
    np.stack([describe(person, take) for person in (1, 2) for take in (3, 4)]), ["1", "1", "2", "2"]
)
found = machine.predict(np.stack([describe(1, 5), describe(2, 6)]))
if found != ["1", "2"]:
    raise SystemExit(f"smoke: the walks of 1 and 2 were named {found}")
print("smoke: two walkers enrolled and named again")
