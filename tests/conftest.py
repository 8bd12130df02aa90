"""Hygiene for every test: no implicit rank promotion, few threads' worth of noise, the real data where it is."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

# What one test compiled need not be compiled again by another, in whichever process it runs: the first to come here
# makes a folder for the programs of this run of pytest, its children inherit it. Compiling is most of the tests' time.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="gaitnet-tests-programs-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data (GAITNET_DATA), or a skip that says why."""
    root = os.environ.get("GAITNET_DATA", "")
    if not root or not Path(root).is_dir():
        pytest.skip("GAITNET_DATA does not name the folder of real data")
    return Path(root)


@pytest.fixture(scope="module")
def lightly_compiled():
    """For files whose programs run once or twice: XLA spares itself the optimisations that cost more than they save.

    What is computed stays the same; the demo's and the command line's tests run networks and renderer as users do.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def untrained():
    """A GaitRecognizer of small networks that never learned anything: built and compiled once for all files."""
    from flax import nnx  # not before the type checks of the tests are set up

    from gaitnet.descriptor import Descriptor
    from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
    from gaitnet.recognizer import GaitRecognizer
    from humanpose.estimator import HumanPoseNN
    from humanpose.models.mobile import MobilePose, MobilePoseConfig

    pose = MobilePose(MobilePoseConfig(width_multiplier=0.25), rngs=nnx.Rngs(0))
    gait = GaitNN(GaitNNConfig(channels=16, multiplier=0.25, size=24, feature_scale=0.25), rngs=nnx.Rngs(1))
    return GaitRecognizer(HumanPoseNN(pose), Descriptor(gait), "untrained")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, a gallery of its own, and stand-ins for the networks."""
    from stand_ins import Walkers, strangers

    from gaitnet.recognizer import Person  # not before the type checks of the tests are set up

    networks = ModuleType("gaitnet.recognizer")
    networks.GaitRecognizer = Walkers
    networks.Person = Person
    monkeypatch.setitem(sys.modules, "gaitnet.recognizer", networks)
    strangers(tmp_path / "weights" / "gait")
    monkeypatch.setenv("GAITNET_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data home"))
    for name in ("GAITNET_GALLERY", "GAITNET_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "my work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work
