"""Weights on disk: what goes in comes out, what does not fit is listed, and hostile bytes are only refused."""

import contextlib
import hashlib
import io
import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humanpose import checkpoint
from humanpose.checkpoint import MANIFEST, WEIGHTS, CheckpointError


class Small(nnx.Module):
    def __init__(self, width=3, *, rngs):
        self.layers = nnx.List([nnx.Linear(2, width, rngs=rngs), nnx.Linear(width, 2, rngs=rngs)])
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.layers[1](self.dropout(self.norm(self.layers[0](x))))


ARRAYS = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3) / 4, "a/scalar": np.float32(2.5), "n": np.arange(3)}


def test_arrays_config_and_card_come_back(tmp_path):
    checkpoint.save(tmp_path / "new folder", ARRAYS, {"width": 3}, {"licence": "none"})
    arrays, manifest = checkpoint.load(tmp_path / "new folder")
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].shape == np.shape(array)
    assert arrays["a/b"].dtype == np.float32
    assert manifest["config"] == {"width": 3}
    assert manifest["card"] == {"licence": "none"}
    assert sorted(path.name for path in (tmp_path / "new folder").iterdir()) == sorted([MANIFEST, WEIGHTS])
    # Anybody's NumPy reads it too, and it is half the size.
    with np.load(tmp_path / "new folder" / WEIGHTS, allow_pickle=False) as archive:
        assert archive["a/b"].dtype == np.float16


def test_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        checkpoint.save(tmp_path / name, ARRAYS, {}, {})
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "two" / WEIGHTS).read_bytes()


def test_what_float16_cannot_hold_stays_float32(tmp_path):
    checkpoint.save(tmp_path, {"big": np.array([1e6], np.float32), "brain": jnp.ones(2, jnp.bfloat16)}, {}, {})
    arrays, _ = checkpoint.load(tmp_path)
    np.testing.assert_array_equal(arrays["big"], [1e6])
    np.testing.assert_array_equal(arrays["brain"], [1, 1])


def test_a_model_that_is_not_finite_is_not_kept(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {}, {})
    with pytest.raises(ValueError, match=r"'spoilt'.*finite"):
        checkpoint.save(tmp_path, {"spoilt": np.array([np.nan])}, {}, {})
    assert checkpoint.load(tmp_path)[0].keys() == ARRAYS.keys()


def test_a_failed_write_leaves_the_old_checkpoint_and_no_litter(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, ARRAYS, {"version": 1}, {})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, {"x": np.ones(3)}, {"version": 2}, {})
    assert checkpoint.load(tmp_path)[1]["config"] == {"version": 1}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_model_and_its_abstract_twin_compute_the_same(tmp_path):
    model = Small(rngs=nnx.Rngs(1))
    model(jnp.ones((4, 2)))  # moves the running statistics
    checkpoint.save(tmp_path, checkpoint.flatten(model), {}, {})
    twin = nnx.eval_shape(lambda: Small(rngs=nnx.Rngs(0)))
    checkpoint.fill(twin, checkpoint.load(tmp_path)[0])
    x = jnp.array([[0.5, -1.0]])
    twin(x)  # dropout has random state again
    model.eval()
    twin.eval()
    checkpoint.fill(twin, checkpoint.load(tmp_path)[0])
    np.testing.assert_allclose(twin(x), model(x), rtol=5e-3, atol=2e-3)
    assert "layers/0/kernel" in checkpoint.flatten(model)
    assert "norm/mean" in checkpoint.flatten(model)
    assert not any("dropout" in name for name in checkpoint.flatten(model))


def test_every_key_that_does_not_fit_is_listed_and_nothing_changes():
    model = Small(rngs=nnx.Rngs(0))
    arrays = checkpoint.flatten(Small(rngs=nnx.Rngs(7)))
    before = checkpoint.flatten(model)
    del arrays["norm/mean"], arrays["norm/var"]
    arrays["stranger"] = np.zeros(2)
    arrays["layers/0/bias"] = np.zeros(4)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.fill(model, arrays)
    text = str(caught.value)
    for line in (
        "missing: norm/mean (3,)",
        "missing: norm/var (3,)",
        "unexpected: stranger (2,)",
        "mis-shaped: layers/0/bias expected (3,), got (4,)",
    ):
        assert line in text
    for name, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_short_account_names_a_few_and_counts_the_rest():
    complaints = [f"missing: m{number}" for number in range(348)] + ["unexpected: one (2,)"]
    error = CheckpointError("arrays do not fit", complaints)
    assert str(error).count("\n") == 349
    assert error.brief == "arrays do not fit; missing: m0, m1, m2 and 345 more; unexpected: one (2,)"
    assert CheckpointError("nothing is there").brief == str(CheckpointError("nothing is there")) == "nothing is there"


def test_missing_folders_and_names_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=MANIFEST):
        checkpoint.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no checkpoint 'no-such-model'"):
        checkpoint.find("no-such-model")
    checkpoint.save(tmp_path, ARRAYS, {}, {})
    assert checkpoint.find(tmp_path) == tmp_path


def test_one_changed_byte_is_noticed(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {}, {})
    payload = bytearray((tmp_path / WEIGHTS).read_bytes())
    payload[len(payload) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(payload)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(tmp_path)


def plant(folder, payload):
    """A checkpoint whose checksum is right, whatever its bytes."""
    (folder / WEIGHTS).write_bytes(payload)
    manifest = {"format": 1, "config": {}, "card": {}, "weights": {"sha256": hashlib.sha256(payload).hexdigest()}}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def archive(content, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as zipped:
        zipped.writestr("x.npy", content)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def test_pickles_bombs_and_lies_are_refused(tmp_path):
    pickled = io.BytesIO()  # an array of objects, as its header says; whatever follows must not be looked at
    np.lib.format.write_array_header_1_0(pickled, {"descr": "|O", "fortran_order": False, "shape": (2,)})
    pickled.write(b"cbuiltins\nprint\n.")
    bomb = archive(npy(np.zeros(1_000_000)), zipfile.ZIP_DEFLATED)
    liar = io.BytesIO()
    np.lib.format.write_array_header_1_0(liar, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    liar.write(bytes(24))
    spoilt = npy(np.array([np.nan]))
    for payload in (
        archive(pickled.getvalue()),
        bomb,
        archive(liar.getvalue()),
        archive(spoilt),
        archive(npy(np.array(["text"]))),
        b"",
    ):
        plant(tmp_path, payload)
        with pytest.raises(CheckpointError, match="not an npz of plain arrays"):
            checkpoint.load(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_bytes_are_refused_as_weights_and_as_manifest(tmp_path, data):
    sound = archive(npy(np.arange(4.0)))
    where = data.draw(st.integers(0, len(sound)))
    noise = data.draw(st.binary(max_size=60))
    payload = data.draw(st.sampled_from([noise, sound[:where] + noise + sound[where + len(noise) :], archive(noise)]))
    plant(tmp_path, payload)
    with contextlib.suppress(CheckpointError):
        checkpoint.load(tmp_path)
    (tmp_path / MANIFEST).write_bytes(noise)
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"format": 1, "network": 3, "config": {}, "card": {}, "weights": {"sha256": ""}}',
        '{"format": 1}',
        '{"format": 9, "config": {}}',
        "[" * 100_000,
        "NaN",
    ],
)
def test_manifests_of_another_kind_are_refused(tmp_path, text):
    plant(tmp_path, archive(npy(np.ones(2))))
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path)


def test_filled_values_take_the_models_type():
    twin = nnx.eval_shape(lambda: Small(rngs=nnx.Rngs(0)))
    checkpoint.fill(
        twin, {name: array.astype(np.float64) for name, array in checkpoint.flatten(Small(rngs=nnx.Rngs(2))).items()}
    )
    assert all(value.dtype == jnp.float32 for value in jax.tree.leaves(nnx.state(twin, nnx.Param)))
