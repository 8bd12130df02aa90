"""The one training loop: every model in the project is trained by `fit`, through one jitted update.

A task is `loss_fn(model, batch, rngs) -> (loss, metrics)`: it never sees optimisers, devices or files. A batch is a
function of the step number alone, and so is the step's random key; a run that was stopped and resumed therefore sees
the same data in the same order as one that was not.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from train.callbacks import CurveWriter
from train.checkpoint import RunCheckpoints
from train.config import OptimizerConfig
from train.memory import give_back

Batch = Any
Metrics = dict[str, Float[Array, ""]]
LossFn = Callable[[nnx.Module, Batch, nnx.Rngs], tuple[Float[Array, ""], Metrics]]


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite; nothing was saved after the step it names."""


class TrainState(NamedTuple):
    """Everything that a step changes, and so everything that a checkpoint holds."""

    step: Int[Array, ""]
    params: nnx.State
    rest: nnx.State
    opt_state: optax.OptState


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """The rule with its schedule; biases and normalisation are spared the weight decay."""
    schedule = _schedule(config, steps)
    if config.rule == "RMSProp":
        rule = optax.rmsprop(schedule, decay=0.9, eps=1e-10, initial_scale=1.0, eps_in_sqrt=True)
        return optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)
    decay_mask = lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params)  # noqa: E731
    if config.rule == "SGD":
        return optax.chain(
            optax.clip_by_global_norm(config.clip_norm),
            optax.add_decayed_weights(config.weight_decay, mask=decay_mask),
            optax.sgd(schedule, config.momentum, nesterov=config.momentum > 0),
        )
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.adamw(schedule, b2=config.b2, weight_decay=config.weight_decay, mask=decay_mask),
    )


def _schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    warm_up = min(config.warmup_steps, steps // 2)
    if config.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, warm_up, steps, end_value=0.0)
    falling = optax.exponential_decay(config.learning_rate, config.decay_steps, config.decay_rate, staircase=True)
    if not warm_up:
        return falling
    return optax.join_schedules([optax.linear_schedule(0.0, config.learning_rate, warm_up), falling], [warm_up])


def init_state(model: nnx.Module, tx: optax.GradientTransformation) -> tuple[nnx.GraphDef, TrainState]:
    """Splits a model into its static graph and the state of a run at step 0."""
    split: Any = nnx.split(model, nnx.Param, ...)  # three parts, which its type does not tell
    graphdef, params, rest = split
    return graphdef, TrainState(jnp.zeros((), jnp.int32), params, rest, tx.init(params))


def make_train_step(
    graphdef: nnx.GraphDef, loss_fn: LossFn, tx: optax.GradientTransformation
) -> Callable[[TrainState, Batch, Array], tuple[TrainState, Metrics]]:
    """The project's only jitted update: `step(state, batch, key) -> (state, metrics)`, with the old state donated."""

    def step(state: TrainState, batch: Batch, key: Array) -> tuple[TrainState, Metrics]:
        def loss_of(params: nnx.State) -> tuple[Array, tuple[Metrics, nnx.State]]:
            # copy=True: BatchNorm writes its statistics into this trace's own variables, not the caller's
            model = nnx.merge(graphdef, params, state.rest, copy=True)
            loss, metrics = loss_fn(model, batch, nnx.Rngs(key))
            return loss, (metrics, nnx.state(model, nnx.Not(nnx.Param)))

        (loss, (metrics, rest)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(grads), **metrics}
        return TrainState(state.step + 1, params, rest, opt_state), metrics

    return jax.jit(step, donate_argnums=0)


def fit(
    model: nnx.Module,
    loss_fn: LossFn,
    batch_at: Callable[[int], Batch],
    *,
    optimizer: OptimizerConfig,
    steps: int,
    directory: Path,
    config: Mapping[str, Any],
    seed: int = 0,
    evaluate: Callable[[nnx.Module], Mapping[str, float]] | None = None,
    log_every: int = 20,
    save_every: int = 250,
    evaluate_every: int = 500,
) -> nnx.Module:
    """Trains `model` to `steps` steps, resuming from the newest checkpoint in `directory` if there is one.

    Args:
        model: the network; its weights are the starting point of a fresh run.
        loss_fn: the task.
        batch_at: the batch of a step (from 0); a pytree of arrays of constant shapes.
        optimizer: learning rate, decay and clipping.
        steps: total steps of the run, those before a resume included.
        directory: receives checkpoints, `config.json`, `metrics.jsonl`, `curves.png` and TensorBoard events.
        config: what the run is made of, as JSON; a run is resumed only under an equal config.
        seed: seeds each step's random key together with the step number.
        evaluate: measures the model on held-out data; its numbers are logged beside the training metrics.
        log_every: steps between lines of training metrics.
        save_every: steps between checkpoints.
        evaluate_every: steps between measurements on held-out data.

    Returns:
        The trained model.

    Raises:
        NonFiniteLossError: names the step whose loss was not finite. The last checkpoint is from before it.
        ValueError: `directory` holds a run with another config.
    """
    tx = make_optimizer(optimizer, steps)
    graphdef, state = init_state(model, tx)
    checkpoints = RunCheckpoints(directory, json.loads(json.dumps(config)))
    state = checkpoints.restore_latest(state)
    step_fn = make_train_step(graphdef, loss_fn, tx)
    key = jax.random.key(seed)
    start = int(state.step)
    pending: list[tuple[int, Metrics]] = []
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    shown = Progress(*columns, console=Console(stderr=True))

    def merged() -> nnx.Module:
        return nnx.merge(graphdef, state.params, state.rest, copy=True)

    with CurveWriter(directory, start) as curves, checkpoints, shown as progress:
        bar = progress.add_task(f"{directory.name}", total=steps, completed=start)
        clock, clock_step = time.perf_counter(), start
        for index in range(start, steps):
            state, metrics = step_fn(state, batch_at(index), jax.random.fold_in(key, index))
            pending.append((index, metrics))
            done = index + 1
            save_now, evaluate_now = (
                done % save_every == 0 or done == steps,
                done % evaluate_every == 0 or done == steps,
            )
            if done % log_every == 0 or save_now:
                means = _check_and_average(pending)
                pending.clear()
                means["steps_per_second"] = (done - clock_step) / (time.perf_counter() - clock)
                clock, clock_step = time.perf_counter(), done
                curves.write(done, "train", means)
                progress.update(bar, completed=done, description=f"{directory.name}  loss {means['loss']:.4f}")
            if save_now:
                checkpoints.save(done, state)
            if evaluate is not None and evaluate_now:
                curves.write(done, "validation", evaluate(merged()))
                give_back()
                clock, clock_step = time.perf_counter(), done
    return merged()


def _check_and_average(pending: list[tuple[int, Metrics]]) -> dict[str, float]:
    values = [(index, {name: float(value) for name, value in metrics.items()}) for index, metrics in pending]
    for index, metrics in values:
        # a gradient without end would spoil the weights although the loss of its step was sound
        bad = next((name for name in ("loss", "gradient_norm") if not np.isfinite(metrics[name])), None)
        if bad is not None:
            raise NonFiniteLossError(
                f"the {bad.replace('_', ' ')} of step {index} is {metrics[bad]}; lower the learning rate or look at "
                "that step's batch. The newest checkpoint is from before it."
            )
    return {name: float(np.mean([metrics[name] for _, metrics in values])) for name in values[0][1]}
