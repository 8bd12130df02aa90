"""Whether the input of the pose task keeps up with its training step: samples made against samples eaten.

    python benchmarks/pose_input.py [--preset lspet] [--data DIR] [--threads N] [--seconds 60]

Two figures tell. The supply over the appetite: samples a second that the input makes by itself, over those that the
step takes on a batch that lies ready; over 1 the input can keep up. And what the step costs on real batches over that
on the ready one, measured in turns with the input's threads at work: 1 means that the step never waits, and on a CPU
that the input, which shares its cores, takes nothing away. The walkers of a preset are part of the step.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from train import pose as task
from train.config import POSE_PRESETS, PoseTaskConfig
from train.data import Prefetch, input_threads
from train.loop import init_state, make_optimizer, make_train_step
from train.pose_data import PoseData, load_pose_data
from train.pose_releases import load_releases
from train.pose_walkers import walkers_drawer


class Step:
    """The task's training step on a state of its own."""

    def __init__(self, config: PoseTaskConfig):
        tx = make_optimizer(config.optimizer, config.steps)
        graphdef, self._state = init_state(task.new_model(config), tx)
        loss = task.make_loss(
            config, walkers_drawer(config.size, config.walkers_hidden_weight) if config.walkers else None
        )
        self._step = make_train_step(graphdef, loss, tx)

    def __call__(self, batch: dict[str, np.ndarray]) -> None:
        """One update, to its end."""
        self._state, metrics = self._step(self._state, batch, jax.random.key(0))
        jax.block_until_ready(metrics)


def seconds_each(call: Callable[[int], object], count: int) -> list[float]:
    """Wall seconds of `call(0)`, `call(1)`, ... one by one."""
    times = []
    for number in range(count):
        start = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - start)
    return times


def seconds_of(call: Callable[[int], object], first: int, end: int) -> float:
    """Wall seconds of one of `call(first)` to `call(end - 1)`, on the mean, after those before them.

    The mean: with many threads most calls find their batch made, and some wait for several.
    """
    for number in range(first):
        call(number)
    start = time.perf_counter()
    for number in range(first, end):
        call(number)
    return (time.perf_counter() - start) / (end - first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=POSE_PRESETS, default="lspet")
    parser.add_argument("--data", type=Path, default=os.environ.get("GAITNET_DATA"), help="folder of data sets")
    parser.add_argument("--threads", type=int, default=input_threads(),
                        help="threads that make batches (as many as a training here uses: %(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=60.0, help="time for the steps that are timed")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data: name the folder of data sets, or set GAITNET_DATA")
    config = POSE_PRESETS[arguments.preset]
    if not config.photographs + config.landmarks:
        parser.error(f"--preset: {arguments.preset} has no input to measure, its walkers are drawn in the step")
    # frames of videos are cut out into it; better measured on a prepared data set
    with tempfile.TemporaryDirectory() as crops:
        try:
            if config.data == "lspet+kth":
                data = load_pose_data(arguments.data)
            else:
                data = load_releases(config, arguments.data, Path(crops))
        except ValueError as error:
            parser.error(str(error))
        measure(arguments.preset, data, arguments.threads, arguments.seconds)


def measure(preset: str, data: PoseData, threads: int, seconds: float) -> None:
    """Time the input and the step of a preset, alone and together; print both figures."""
    config = POSE_PRESETS[preset]
    samples = config.photographs + config.landmarks
    make = task.make_batches(config, data.photographs, data.landmarks, data.image)

    first = np.median(seconds_each(make, 8)) / samples
    for record in data.photographs:
        data.image(record)
    processor = time.process_time()
    alone = np.median(seconds_each(make, 12)) / samples
    processor = (time.process_time() - processor) / (12 * samples)
    print(f"{preset}: {samples} samples and {config.walkers} walkers a step, {config.height} pixels high")
    print(f"a sample, one thread: {1e3 * alone:.2f} ms, of the processor {1e3 * processor:.2f} ms; "
          f"while pictures are still to be decoded {1e3 * first:.2f} ms")  # fmt: skip

    ahead = 2 * threads  # as a training asks for them
    with Prefetch(make, ahead, threads) as batches:
        # the first ones were begun together; only what comes after them is the steady state
        supplied = seconds_of(batches, ahead + 8, ahead + 8 + max(16, ahead))
    step, ready = Step(config), make(0)
    step(ready)
    on_ready: list[float] = []
    on_real: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(on_real) < 24:
        on_ready += seconds_each(lambda number: step(ready), 6)
        with Prefetch(make, ahead, threads) as batches:
            # the first batches were made while nothing else ran; only what comes after them is the steady state
            on_real += seconds_each(lambda number: step(batches(number)), ahead + 10)[ahead + 2 :]
    ready_time, real_time = np.median(on_ready), np.median(on_real)
    print(f"the input makes {samples / supplied:.0f} samples/s in {threads} threads, the step takes "
          f"{samples / ready_time:.0f}: supply over appetite {ready_time / supplied:.1f}")  # fmt: skip
    print(f"a step: {1e3 * ready_time:.0f} ms on a ready batch, {1e3 * real_time:.0f} ms on real ones: "
          f"ratio {real_time / ready_time:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
