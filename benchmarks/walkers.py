"""Frames a second at which walkers are drawn, alone and with everything that a training batch needs.

    python benchmarks/walkers.py

CPU seconds are the fairer figure where other programs run on the machine.
"""

import argparse
import time

import jax
import jax.numpy as jnp

from gaitnet.walkers.dataset import crowd_person, draw_batch, plan_sequence, render_plan


def measured(call, frames: int, repeats: int) -> tuple[float, float]:
    """Wall and CPU milliseconds a frame: the best of some repeats after one for compilation."""
    jax.block_until_ready(call())
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(call())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls) / frames * 1e3, min(cpus) / frames * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=16, help="of one walk")
    parser.add_argument("--walks", type=int, default=4, help="of one batch")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    together = 1 if jax.default_backend() == "cpu" else arguments.frames
    size, frames, walks = (192, 144), arguments.frames, arguments.walks
    key = jax.random.key(0)
    plan = jax.jit(lambda key: plan_sequence(key, crowd_person(0, 1), 0, 90.0, frames))(key)
    pixels = jax.jit(lambda plan: render_plan(plan, size, together=together))
    clean = jax.jit(lambda plan: render_plan(plan, size, with_jpeg=False, together=together))
    who, condition, view = jnp.arange(walks), jnp.arange(walks) % 5, jnp.linspace(0.0, 180.0, walks)
    rows = [
        ("pixels of one walk", lambda: pixels(plan), frames),
        ("the same without JPEG artefacts", lambda: clean(plan), frames),
        ("a batch: people, walks, scenes, pixels", lambda: draw_batch(key, 0, who, condition, view, frames,
                                                                     together=together), frames * walks),
    ]  # fmt: skip
    print(f"{size[0]}x{size[1]}, {frames} frames a walk, {walks} walks a batch, {jax.devices()[0].device_kind}")
    print(f"{'what':<42}{'wall ms/frame':>14}{'frames/s':>10}{'CPU ms/frame':>14}")
    for name, call, count in rows:
        wall, cpu = measured(call, count, arguments.repeats)
        print(f"{name:<42}{wall:>14.2f}{1e3 / wall:>10.0f}{cpu:>14.2f}")


if __name__ == "__main__":
    main()
