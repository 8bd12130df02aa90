"""The arrows of CONTRIBUTING.md, read off the AST: who may import whom, and what nobody may call."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("humanpose", "gaitnet", "train")

FACES = ("gaitnet/recognizer.py", "gaitnet/cli/*", "gaitnet/service/*")
"""The modules of gaitnet that know pose estimation exists; everywhere else the seam between the stages is an array."""

GROUND_FLOOR = ("humanpose.ops", "humanpose.skeleton", "humanpose.models.mobilenet_v2")
"""What the rest of gaitnet may use of humanpose."""

CROPS = ("gaitnet/video/*",)
"""Who may use humanpose.preprocess, and ask how large a picture is, beside the faces."""

NUMERIC = (
    "humanpose/heatmaps.py", "humanpose/losses.py", "humanpose/metrics.py",
    "gaitnet/pooling.py", "gaitnet/losses.py", "gaitnet/evaluation/*",
)  # fmt: skip
"""Arrays in, numbers out: they never import a model."""

MODELS = ("humanpose.models", "humanpose.estimator", "gaitnet.models", "gaitnet.recognizer")

LIBRARIES = {
    "cv2": (
        "humanpose/preprocess.py", "humanpose/augment.py", "humanpose/datasets/*", "gaitnet/video/*",
        "gaitnet/walkers/files.py", "gaitnet/silhouettes.py", "gaitnet/datasets/*", "gaitnet/cli/*",
        "gaitnet/service/*", "train/*",
    ),
    "av": ("gaitnet/video/read.py", "gaitnet/video/write.py", "humanpose/datasets/pictures.py"),
    "h5py": ("humanpose/datasets/*", "humanpose/hdf5_listing.py"), "cdflib": ("humanpose/datasets/human36m.py",),
    "sklearn": ("gaitnet/identification/svm.py", "gaitnet/evaluation/calibration.py"),
    "orbax": ("train/checkpoint.py",),
    "fastapi": ("gaitnet/service/*",),
    "optax": ("train/*",), "tensorboardX": ("train/*",),
    "safetensors": ("humanpose/weights/safetensors_file.py",), "cramjam": ("humanpose/weights/sstable.py",),
    "pickletools": ("humanpose/restricted_pickle.py",),
    "pytest": (), "hypothesis": (), "beartype": (),
    "pickle": (), "joblib": (), "skops": (), "dill": (), "cloudpickle": (), "marshal": (), "shelve": (),
}  # fmt: skip
"""Library -> the modules whose job it is. The wheel does not bring what trains or tests; what it loads runs no code."""

EXECUTES = ("eval", "exec", "__import__")

HEAVY = ("jax", "flax", "cv2", "av", "sklearn", "scipy", "matplotlib")


def imported(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of every import, wherever it stands; `from a import b` gives `a.b`."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node).split(".")[-1] == "import_module" and node.args:
            name = node.args[0]
            yield node.lineno, str(name.value) if isinstance(name, ast.Constant) else "<computed>"


def called(node: ast.Call) -> str:
    """Dotted name of what a call calls, as written; empty where it is no name."""
    parts, target = [], node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    return ".".join([target.id, *reversed(parts)]) if isinstance(target, ast.Name) else ".".join(reversed(parts))


def within(name: str, modules: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the modules or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def at(path: str, places: tuple[str, ...]) -> bool:
    """Whether a file is at one of the places."""
    return any(fnmatch(path, place) for place in places)


def forbidden_import(path: str, name: str) -> str | None:
    """Why the file at `path` may not import `name`; None where it may."""
    room, top = path.split("/")[0], name.split(".")[0]
    if name == "<computed>":
        return "computes what it imports"
    if top in LIBRARIES and not at(path, LIBRARIES[top]):
        return f"imports {name}, whose places are {', '.join(LIBRARIES[top]) or 'none'}"
    if top == "train" and room != "train":
        return f"imports {name}; nothing imports train"
    if room == "humanpose" and top == "gaitnet":
        return f"imports {name}; humanpose knows nothing of gait"
    if room == "gaitnet" and top == "humanpose" and not at(path, FACES):
        floor = (*GROUND_FLOOR, "humanpose.preprocess", "humanpose.picture_size") if at(path, CROPS) else GROUND_FLOOR
        if not within(name, floor):
            return f"imports {name}; here only {', '.join(floor)} of humanpose are open"
    if at(path, NUMERIC) and within(name, MODELS):
        return f"imports the model {name}; a numeric module takes arrays"
    return None


def forbidden_call(node: ast.Call) -> str | None:
    """Why nobody may make this call; None where it is harmless."""
    if isinstance(node.func, ast.Name) and node.func.id in EXECUTES:
        return f"calls {node.func.id}()"
    for keyword in node.keywords:
        safe = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg == "allow_pickle" and not safe:
            return "allows pickle"
    if called(node) in ("np.load", "numpy.load") and len(node.args) > 2:
        return "may allow pickle by position"
    return None


def violations(source: str, path: str) -> list[str]:
    """One line for every breach in a file's source; `path` is relative to the root, with slashes."""
    tree = ast.parse(source, path)
    found = [(line, forbidden_import(path, name)) for line, name in imported(tree, path)]
    found += [(node.lineno, forbidden_call(node)) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f"{path}:{line} {why}" for line, why in sorted(found, key=lambda entry: entry[0]) if why]


def test_project_keeps_its_arrows():
    files = [file for room in PROJECT for file in sorted((ROOT / room).rglob("*.py"))]
    assert len(files) > 3
    broken = [line for file in files for line in violations(file.read_text(), file.relative_to(ROOT).as_posix())]
    assert not broken, "\n" + "\n".join(broken)


def test_places_are_real_rooms():
    """A table that names a room nobody lives in protects nothing."""
    for places in (FACES, CROPS, NUMERIC, *LIBRARIES.values()):
        assert all(place.split("/")[0] in PROJECT for place in places)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("humanpose/estimator.py", "import gaitnet"),
        ("humanpose/estimator.py", "from gaitnet.models import gaitnn"),
        ("humanpose/estimator.py", "def later():\n    import train.loop"),
        ("gaitnet/recognizer.py", "from train import loop"),
        ("gaitnet/cli/main.py", "import importlib\nimportlib.import_module('train.gait')"),
        ("gaitnet/cli/main.py", "from importlib import import_module\nimport_module(name)"),
        ("gaitnet/models/gaitnn.py", "import humanpose"),
        ("gaitnet/models/gaitnn.py", "from humanpose import estimator"),
        ("gaitnet/models/gaitnn.py", "from humanpose.models.mobile import Mobile"),
        ("gaitnet/models/gaitnn.py", "from humanpose import preprocess"),
        ("gaitnet/walkers/render.py", "from humanpose.heatmaps import encode_keypoints"),
        ("gaitnet/evaluation/metrics.py", "from ..models import gaitnn"),
        ("gaitnet/evaluation/protocols.py", "from gaitnet.recognizer import GaitRecognizer"),
        ("gaitnet/evaluation/protocols.py", "from .. import recognizer"),
        ("humanpose/losses.py", "from .models.mobile import Mobile"),
        ("humanpose/heatmaps.py", "import cv2"),
        ("gaitnet/recognizer.py", "from cv2 import resize"),
        ("gaitnet/video/track.py", "import av"),
        ("gaitnet/identification/gallery.py", "from sklearn.svm import LinearSVC"),
        ("train/loop.py", "import orbax.checkpoint as ocp"),
        ("gaitnet/cli/main.py", "import fastapi"),
        ("train/data.py", "import pickle"),
        ("gaitnet/identification/svm.py", "from joblib import load"),
        ("train/data.py", "import numpy as np\nnp.load('a.npz', allow_pickle=1)"),
        ("train/data.py", "import numpy as np\nnp.load('a.npz', allow_pickle=flag)"),
        ("train/config.py", "eval('1 + 1')"),
        ("train/config.py", "exec(text)"),
        ("train/data.py", "import numpy as np\nnp.load('a.npz', None, True)"),
        ("gaitnet/models/gaitnn.py", "import optax"),
    ],
)
def test_checker_sees_a_breach(path: str, source: str):
    (line,) = violations(source, path)
    assert line.startswith(f"{path}:{len(source.splitlines())} ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "gaitnet/models/detector.py",
            "from humanpose import ops\nfrom humanpose.models.mobilenet_v2 import Trunk",
        ),
        ("gaitnet/video/crop.py", "import cv2\nfrom humanpose.preprocess import person_crop"),
        ("gaitnet/recognizer.py", "from humanpose.estimator import HumanPoseNN\nfrom .models import gaitnn"),
        ("gaitnet/cli/enroll.py", "from humanpose import estimator"),
        ("gaitnet/evaluation/metrics.py", "from . import protocols\nfrom ..pooling import average_temporal_pooling"),
        ("gaitnet/identification/svm.py", "from sklearn.svm import LinearSVC\nimport numpy as np"),
        ("train/checkpoint.py", "import orbax.checkpoint as ocp\nfrom .loop import TrainState"),
        ("train/data.py", "import numpy as np\nnp.load('a.npz', allow_pickle=False)\nmodel.eval()"),
    ],
)
def test_checker_lets_sound_code_pass(path: str, source: str):
    assert violations(source, path) == []


@pytest.mark.parametrize("modules", ["gaitnet, humanpose", "gaitnet.cli.main", "gaitnet.__main__"])
def test_import_is_light(modules: str):
    """What makes `import gaitnet` and `gaitnet --help` quick, without a stop-watch on a busy machine."""
    script = f"import sys, {modules}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], f"{modules} pulls in {done.stdout.strip()}"


def test_the_package_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "gaitnet", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gaitnet ")
