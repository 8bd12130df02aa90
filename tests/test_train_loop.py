import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from train.callbacks import read_metrics
from train.config import OptimizerConfig
from train.data import Kept, Prefetch, make_batch, sample_indices
from train.export import newest_weights
from train.loop import NonFiniteLossError, fit, init_state, make_optimizer, make_train_step

QUICK = OptimizerConfig(learning_rate=0.01, warmup_steps=2)


class Line(nnx.Module):
    """The smallest model with a parameter, a running statistic and noise."""

    def __init__(self):
        self.slope = nnx.Param(jnp.zeros((1, 1)))
        self.seen = nnx.BatchStat(jnp.zeros(()))

    def __call__(self, x):
        self.seen[...] = self.seen[...] + 1
        return x @ self.slope[...]


def loss_fn(model, batch, rngs):
    noise = 0.01 * jax.random.normal(rngs(), batch["y"].shape)
    error = model(batch["x"]) - batch["y"] + noise
    return jnp.mean(error**2), {"largest": jnp.max(jnp.abs(error))}


def batch_at(step):
    x = np.random.default_rng(step).normal(size=(8, 1)).astype(np.float32)
    return {"x": x, "y": 3 * x}


def run(directory, steps, **changes):
    settings = {"optimizer": QUICK, "steps": steps, "directory": directory, "config": {"name": "line"}, "save_every": 5}
    return fit(Line(), loss_fn, batch_at, **{**settings, "log_every": 1, **changes})


def losses(directory):
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["split"] == "train"]


class KilledError(Exception):
    pass


def test_a_resumed_run_is_the_uninterrupted_run_to_the_bit(tmp_path):
    whole = run(tmp_path / "whole", 20)

    def killed_at_13(step):
        if step == 13:
            raise KilledError
        return batch_at(step)

    with pytest.raises(KilledError):
        fit(
            Line(), loss_fn, killed_at_13, optimizer=QUICK, steps=20, directory=tmp_path / "cut",
            config={"name": "line"}, save_every=5, log_every=1,
        )  # fmt: skip
    resumed = run(tmp_path / "cut", 20)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    np.testing.assert_array_equal(resumed.slope[...], whole.slope[...])
    assert int(resumed.seen[...]) == 20
    assert (tmp_path / "cut" / "curves.png").stat().st_size > 1000


def test_another_config_in_the_same_folder_is_refused_by_name(tmp_path):
    run(tmp_path, 5)
    with pytest.raises(ValueError, match="other settings \\(name\\)"):
        run(tmp_path, 5, config={"name": "curve"})


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name": ', b"\xff"])
def test_settings_that_cannot_be_read_are_told(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the folder of a run: its config\.json cannot be read"):
        run(tmp_path, 5)
    with pytest.raises(ValueError, match="is not the folder of a run"):
        newest_weights(tmp_path, Line())
    (tmp_path / "config.json").write_text('{"task": "pose"}')
    with pytest.raises(ValueError, match="names no optimizer and steps"):
        newest_weights(tmp_path, Line())


def test_a_truncated_checkpoint_is_refused_in_a_sentence(tmp_path, monkeypatch):
    """Orbax answers cut-off files with many kinds of error, some later and from other threads: one stands in."""
    run(tmp_path, 5)

    def restore(*_, **__):
        raise RuntimeError("DATA_LOSS: Error reading d/0123: 10 bytes where 400 were to be")

    monkeypatch.setattr("orbax.checkpoint.CheckpointManager.restore", restore)
    with pytest.raises(ValueError, match="is damaged; begin anew"):
        run(tmp_path, 5)


def test_lines_that_are_no_measurements_end_what_is_kept_of_them(tmp_path):
    for damage in (b"5\n", b'{"loss": 1}\n', b"\xff\n", b'{"st'):
        (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "split": "train"}\n' + damage)
        assert read_metrics(tmp_path) == [{"step": 1, "split": "train"}]


def test_a_run_of_one_step_learns(tmp_path, capsys):
    """At the rate itself: with one step there is nothing to warm up. The bar is none of stdout's business."""
    model = run(tmp_path / "run", 1)
    assert float(model.slope[0, 0]) == pytest.approx(QUICK.learning_rate, rel=1e-3)  # Adam's first step
    assert capsys.readouterr().out == ""


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path):
    def poisoned(step):
        batch = batch_at(step)
        return {**batch, "y": batch["y"] * (np.nan if step == 7 else 1)}

    with pytest.raises(NonFiniteLossError, match="step 7 "):
        fit(
            Line(), loss_fn, poisoned, optimizer=QUICK, steps=20, directory=tmp_path, config={}, save_every=5,
            log_every=4,
        )  # fmt: skip
    model = Line()
    assert newest_weights_step(tmp_path, model) == 5
    assert np.isfinite(model.slope[...]).all()


def newest_weights_step(directory, model):
    config = directory / "config.json"
    config.write_text(json.dumps({"optimizer": {}, "steps": 20}))
    return newest_weights(directory, model)


def test_the_step_is_compiled_once(tmp_path):
    traces = []

    def counted(model, batch, rngs):
        traces.append(1)
        return loss_fn(model, batch, rngs)

    tx = make_optimizer(QUICK, 10)
    graphdef, state = init_state(Line(), tx)
    step = make_train_step(graphdef, counted, tx)
    for index in range(4):
        state, _ = step(state, batch_at(index), jax.random.key(index))
    assert len(traces) == 1


def test_every_epoch_visits_every_sample_once_in_its_own_order():
    drawn = np.concatenate([sample_indices(step, 4, 10, seed=3) for step in range(5)])
    first, second = drawn[:10], drawn[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)


def test_a_batch_depends_on_its_step_alone():
    def sample(index, rng):
        return {"value": np.float32(index + rng.random())}

    direct = make_batch(7, 4, 10, 1, sample)["value"]
    ahead = Prefetch(lambda step: make_batch(step, 4, 10, 1, sample)["value"])
    try:
        taken = [ahead(step) for step in range(5, 9)]
    finally:
        ahead.close()
    np.testing.assert_array_equal(taken[2], direct)
    assert len(set(direct.tolist())) == 4


def test_prefetch_hands_on_what_making_a_batch_raised():
    def broken(step):
        raise ValueError(f"batch {step} has no pictures")

    ahead = Prefetch(broken)
    with pytest.raises(ValueError, match="batch 0 has no pictures"):
        ahead(0)
    ahead.close()


def test_pictures_are_made_once_while_there_is_room():
    made = []

    def picture(key):
        made.append(key)
        return np.full(100, key, np.uint8)

    kept = Kept(picture, room=250)
    for _ in range(2):
        for key in (1, 2, 3):
            np.testing.assert_array_equal(kept(key), np.full(100, key))
    assert made == [1, 2, 3, 3], "two fit; the third is made anew each time"
    with pytest.raises(ValueError, match="read-only"):
        kept(1)[0] = 9


def test_a_picture_that_cannot_be_made_is_not_kept():
    def broken(key):
        raise ValueError(f"{key} cannot be read")

    kept = Kept(broken)
    for _ in range(2):
        with pytest.raises(ValueError, match="picture a cannot be read"):
            kept("picture a")
