"""Images per second of the pose networks here: forward at batch 1 and 8, and the training step.

    python benchmarks/pose.py [--networks x05 x10] [--lowering auto native] [--batch 16] [--seconds 3]

The training step is the gradient of a softmax cross-entropy over positions, with the running statistics moved; neither
the optimiser nor the data pipeline is in it. Per row: the median and the best of the runs that fit into `--seconds`,
and the processor time of an image, which tells a slow program from a busy machine.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from humanpose.models.mobile import MOBILE_X05, MOBILE_X10, MobilePose, MobilePoseConfig

NETWORKS = {"x05": MOBILE_X05, "x10": MOBILE_X10}


def measure(run: Callable[[], object], seconds: float) -> tuple[float, float, float, float]:
    """Seconds: first call (compilation), then median, best, and best processor time of at least three calls."""
    start = time.perf_counter()
    jax.block_until_ready(run())
    first = time.perf_counter() - start
    walls: list[float] = []
    processor: list[float] = []
    while len(walls) < 3 or sum(walls) < seconds:
        start, used = time.perf_counter(), time.process_time()
        jax.block_until_ready(run())
        walls.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return first, float(np.median(walls)), min(walls), min(processor)


def rows(config: MobilePoseConfig, lowering: str, training_batch: int, seconds: float):
    """Yield (what, batch, times) for one network."""
    start = time.perf_counter()
    network = MobilePose(config, rngs=nnx.Rngs(0))
    built = time.perf_counter() - start
    graphdef, params, rest = nnx.split(network, nnx.Param, ...)  # type: ignore[misc]
    print(f"{sum(leaf.size for leaf in jax.tree.leaves(params)):,} parameters, built in {built:.2f} s")
    random = np.random.default_rng(0)

    def crops(batch: int) -> jax.Array:
        shape = (batch, config.image_height, config.image_width, 3)
        return jnp.asarray(random.integers(0, 256, shape, dtype=np.uint8))

    forward = jax.jit(lambda params, rest, images: nnx.merge(graphdef, params, rest)(images, lowering=lowering))
    for batch in (1, 8):
        yield "forward", batch, measure(partial(forward, params, rest, crops(batch)), seconds)

    def loss(params, rest, images, targets):
        network = nnx.merge(graphdef, params, rest, copy=True)
        logits = network(images, train=True, lowering=lowering)
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits, (1, 2)), (1, 2))), nnx.state(
            network, nnx.BatchStat
        )

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    images = crops(training_batch)
    targets = jnp.full((training_batch, *config.map_size, config.joints), 1 / np.prod(config.map_size), jnp.float32)
    yield "training step", training_batch, measure(lambda: step(params, rest, images, targets), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Images per second of the pose networks on this machine.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--lowering", nargs="+", choices=["auto", "native", "cpu"], default=["auto"])
    parser.add_argument("--batch", type=int, default=16, help="batch of the training step")
    parser.add_argument("--seconds", type=float, default=3.0, help="time to spend on each row")
    arguments = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}")
    for name in arguments.networks:
        for lowering in arguments.lowering:
            config = NETWORKS[name]
            print(f"\n{name}, {config.image_width}x{config.image_height}, lowering {lowering}: ", end="")
            table = list(rows(config, lowering, arguments.batch, arguments.seconds))
            print(
                "| what | batch | images/s median | best | processor ms/image | compile s |\n|---|---|---|---|---|---|"
            )
            for what, batch, (first, median, best, processor) in table:
                speeds = f"{batch / median:.0f} | {batch / best:.0f} | {1e3 * processor / batch:.1f} | {first:.1f}"
                print(f"| {what} | {batch} | {speeds} |", flush=True)


if __name__ == "__main__":
    main()
