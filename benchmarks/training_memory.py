"""What keeping freed memory saves a training step of the x0.5 pose network: with and without, each in a fresh process.

python benchmarks/training_memory.py [--steps 25] [--batch 16]
"""

import argparse
import resource
import subprocess
import sys
import time

ROUNDS = 2


def measure(steps: int, batch: int, keep: bool) -> None:
    """Prints seconds, processor seconds of its own and of the kernel, and page faults of a step."""
    from train.memory import keep_memory

    if keep:
        keep_memory()
    import jax
    import numpy as np

    from train import pose
    from train.config import PoseTaskConfig
    from train.loop import init_state, make_optimizer, make_train_step

    config, rng = PoseTaskConfig(), np.random.default_rng(0)
    (height, width), nothing = config.size, np.zeros(0, np.float32)
    batch_of = {
        "images": rng.integers(0, 255, (batch, height, width, 3), dtype=np.uint8),
        "keypoints": rng.uniform(10, width - 10, (batch, 16, 2)).astype(np.float32),
        "visible": np.ones((batch, 16), np.float32), "opinion": np.zeros((batch, 16, 3), np.float32),
        "walkers": nothing,
    }  # fmt: skip
    tx = make_optimizer(config.optimizer, steps)
    graphdef, state = init_state(pose.new_model(config), tx)
    step = make_train_step(graphdef, pose.make_loss(config), tx)
    for index in range(steps + 3):
        if index == 3:  # compiled, and everything was there once
            begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        state, metrics = step(state, batch_of, jax.random.key(index))
        jax.block_until_ready(metrics)
    after = resource.getrusage(resource.RUSAGE_SELF)
    told = (
        time.perf_counter() - begun, after.ru_utime - used.ru_utime, after.ru_stime - used.ru_stime,
        after.ru_minflt - used.ru_minflt,
    )  # fmt: skip
    print(*(one / steps for one in told))


def main() -> None:
    """Prints a table: a line without, a line with, the ratio of both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--measure", choices=("given back", "kept"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.steps, options.batch, options.measure == "kept")
        return
    best: dict[str, list[float]] = {}
    arguments = [sys.executable, __file__, "--steps", str(options.steps), "--batch", str(options.batch), "--measure"]
    for _ in range(ROUNDS):
        for name in ("given back", "kept"):
            done = subprocess.run([*arguments, name], stdout=subprocess.PIPE, text=True, check=True)
            told = [float(word) for word in done.stdout.split()]
            best[name] = [min(pair) for pair in zip(told, best.get(name, told), strict=True)]
    print("| memory | ms/step | processor ms/step | of these the kernel's | page faults/step |\n|---|---|---|---|---|")
    for name, (wall, own, kernel, faults) in best.items():
        print(f"| {name} | {1e3 * wall:.0f} | {1e3 * (own + kernel):.0f} | {1e3 * kernel:.0f} | {faults:.0f} |")
    (wall, own, kernel, _), (kept, kept_own, kept_kernel, _) = best.values()
    print(f"| ratio | {wall / kept:.2f} | {(own + kernel) / (kept_own + kept_kernel):.2f} | | |")


if __name__ == "__main__":
    main()
