"""A wider pose network that begins as a narrower one."""

from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from typer.testing import CliRunner

from humanpose import checkpoint
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from train.__main__ import app
from train.widen import take_narrow, widen

NARROW = MobilePoseConfig(0.35, 64, 48, head_channels=8)
WIDE = MobilePoseConfig(1.0, 64, 48, head_channels=20)


def drawn(config: MobilePoseConfig) -> MobilePose:
    """A network in which every number is its own, so that no two channels can be mistaken for one another."""
    model = MobilePose(config, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(1)
    arrays = checkpoint.flatten(model)
    for name, array in arrays.items():
        if not name.endswith("kernel"):
            arrays[name] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
    checkpoint.fill(model, arrays)
    return model


@pytest.fixture(scope="module")
def narrow() -> MobilePose:
    return drawn(NARROW)


@pytest.fixture(scope="module")
def wide(narrow) -> MobilePose:
    model = MobilePose(WIDE, rngs=nnx.Rngs(2))
    widen(narrow, model)
    return model


def test_a_wide_network_begins_as_the_narrow_one(narrow, wide):
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8))
    expected = np.asarray(narrow(images))
    assert expected.std() > 0.01
    np.testing.assert_allclose(wide(images), expected, atol=2e-4 * np.abs(expected).max())


def test_no_two_channels_learn_the_same(wide):
    """The gradients of copies differ, else the wide network would stay the narrow one for ever."""
    images = jnp.asarray(np.random.default_rng(3).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8))
    target = jnp.asarray(np.random.default_rng(4).standard_normal((2, 16, 12, 16)), jnp.float32)
    graphdef, params, rest = nnx.split(wide, nnx.Param, ...)
    gradient = jax.jit(jax.grad(lambda params: jnp.mean(nnx.merge(graphdef, params, rest)(images) * target)))(params)
    for name, kernel in checkpoint.flatten(nnx.merge(graphdef, gradient, rest)).items():
        if name.endswith("expand/kernel"):
            columns = kernel[0, 0].T
            alike = np.abs(columns[:, None] - columns[None]).max(-1) + np.eye(len(columns))
            moved = np.abs(columns).max(-1) > 0
            assert alike[np.ix_(moved, moved)].min() > 0, name


def test_only_what_can_be_widened_is(narrow, tmp_path):
    def fresh(**changes):
        return MobilePose(replace(WIDE, **changes), rngs=nnx.Rngs(0))

    with pytest.raises(ValueError, match=r"trunk/blocks/1/project: 8 channels cannot begin as 16"):
        widen(fresh(width_multiplier=0.5), fresh(width_multiplier=0.3))
    with pytest.raises(ValueError, match="padding: a network of symmetric cannot begin as one of same"):
        widen(narrow, fresh(padding="symmetric"))
    with pytest.raises(ValueError, match=r"a block of x0\.25 adds what it read, that of x1\.0 does not"):
        widen(MobilePose(replace(NARROW, width_multiplier=0.25), rngs=nnx.Rngs(0)), fresh())
    checkpoint.save(tmp_path, {}, {"width_multiplier": "x"}, {}, "MobilePose")
    with pytest.raises(ValueError, match="does not describe a MobilePose"):
        take_narrow(fresh(), tmp_path)
    checkpoint.save(tmp_path, {}, {}, {}, "GaitNN")
    with pytest.raises(ValueError, match="holds no MobilePose"):
        take_narrow(fresh(), tmp_path)


def test_a_run_begins_as_a_narrower_checkpoint(tmp_path):
    config = MobilePoseConfig(0.35, 64, 48, head_channels=8)
    model = MobilePose(config, rngs=nnx.Rngs(0))
    checkpoint.save(tmp_path, checkpoint.flatten(model), asdict(config), {}, "MobilePose", half=False)
    grown = MobilePose(WIDE, rngs=nnx.Rngs(5))
    assert take_narrow(grown, tmp_path).startswith(f"{tmp_path.name}, sha256 ")
    images = jnp.full((1, 64, 48, 3), 90, jnp.uint8)
    np.testing.assert_allclose(grown(images), model(images), atol=1e-4)
    done = CliRunner().invoke(app, ["pose", "--widen", str(tmp_path), "--init", str(tmp_path)])
    assert done.exit_code == 2
    assert "--widen are all starting points" in done.output
