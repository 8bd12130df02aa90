"""Images per second of the pose networks here: forward at batch 1 and 8, and the training step.

    python benchmarks/pose.py [--networks x05 x10 inception part] [--lowering auto native] [--batch 16] [--seconds 3]

`inception` and `part` are the original's Inception-ResNet and part detector, whole. The training step is the gradient
of a softmax cross-entropy over positions, with the running statistics moved; neither the optimiser nor the data
pipeline is in it. Per row: the median and the best of the runs that fit into `--seconds`, and the processor time of an
image, which tells a slow program from a busy machine.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobile import MOBILE_X05, MOBILE_X10, MobilePose
from humanpose.models.network import PoseNetwork
from humanpose.models.part_detector import PartDetector, PartDetectorConfig

NETWORKS: dict[str, Callable[[nnx.Rngs], PoseNetwork]] = {
    "x05": lambda rngs: MobilePose(MOBILE_X05, rngs=rngs),
    "x10": lambda rngs: MobilePose(MOBILE_X10, rngs=rngs),
    "inception": lambda rngs: InceptionResNet(InceptionResNetConfig(), rngs=rngs),
    "part": lambda rngs: PartDetector(PartDetectorConfig(), rngs=rngs),
}


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


def rows(network: PoseNetwork, lowering: str, training_batch: int, seconds: float):
    """Yield (what, batch, times) for one network."""
    graphdef, params, rest = nnx.split(network, nnx.Param, ...)  # type: ignore[misc]
    random = np.random.default_rng(0)

    def crops(batch: int) -> jax.Array:
        shape = (batch, *network.size, 3)
        return jnp.asarray(random.integers(0, 256, shape, dtype=np.uint8))

    forward = jax.jit(lambda params, rest, images: nnx.merge(graphdef, params, rest)(images, lowering=lowering))
    for batch in (1, 8):
        yield "forward", batch, measure(partial(forward, params, rest, crops(batch)), seconds)

    def loss(params, rest, images, targets):
        member = nnx.merge(graphdef, params, rest, copy=True)
        logits = member(images, train=True, lowering=lowering, rngs=nnx.Rngs(0))
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits, (1, 2)), (1, 2))), nnx.state(
            member, nnx.BatchStat
        )

    if training_batch < 1:
        return
    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    images = crops(training_batch)
    shape = (*network.config.map_size, network.config.joints)
    targets = jnp.full((training_batch, *shape), 1 / np.prod(shape[:2]), jnp.float32)
    yield "training step", training_batch, measure(lambda: step(params, rest, images, targets), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Images per second of the pose networks on this machine.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["x05", "x10"])
    parser.add_argument("--lowering", nargs="+", choices=["auto", "native", "cpu"], default=["auto"])
    parser.add_argument("--batch", type=int, default=16, help="batch of the training step; 0 for none")
    parser.add_argument("--seconds", type=float, default=3.0, help="time to spend on each row")
    arguments = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}")
    for name in arguments.networks:
        for lowering in arguments.lowering:
            start = time.perf_counter()
            network = NETWORKS[name](nnx.Rngs(0))
            built = time.perf_counter() - start
            count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(network, nnx.Param)))
            height, width = network.size
            print(f"\n{name}, {width}x{height}, lowering {lowering}: {count:,} parameters, built in {built:.2f} s")
            table = list(rows(network, lowering, arguments.batch, arguments.seconds))
            print(
                "| what | batch | images/s median | best | processor ms/image | compile s |\n|---|---|---|---|---|---|"
            )
            for what, batch, (first, median, best, processor) in table:
                speeds = f"{batch / median:.1f} | {batch / best:.1f} | {1e3 * processor / batch:.1f} | {first:.1f}"
                print(f"| {what} | {batch} | {speeds} |", flush=True)


if __name__ == "__main__":
    main()
