"""Images per second of the pose networks here beside the same networks in PyTorch, in turns in one run.

    python benchmarks/pose_network.py [--networks x05 x10] [--batch 16] [--seconds 10] [--threads 2]

The twin has the same layers and is given the same weights (with running statistics drawn at random); that its maps,
its training loss and its gradient agree is checked first, and the script ends with exit code 1 where they do not. Both
run eagerly written float32 code as shipped: JAX compiled by jit, PyTorch in its faster memory format, which is looked
for. Rows: forward at batch 1 and 8, and the training step (loss, gradients, running statistics; no optimiser).

Where other programs run, PyTorch's threads wait for one another and its wall time says little: take --threads 1, which
keeps both libraries to one core, and compare the processor time.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from humanpose.checkpoint import flatten
from humanpose.models.mobile import MOBILE_X05, MOBILE_X10, MobilePose, MobilePoseConfig

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    if {"-h", "--help"} & set(sys.argv[1:]):  # what it measures can be told without
        print(__doc__)
        sys.exit(0)
    print("pose_network: PyTorch is not installed; pip install torch==2.13.0 into this environment adds it")
    sys.exit(2)

NETWORKS = {"x05": MOBILE_X05, "x10": MOBILE_X10}
BARS = {"x05": 90, "x10": 30}
"""Images a second at batch 1 that two idle cores are to reach."""

ALLOWED = {"maps": 1e-4, "loss": 1e-4, "last gradient": 1e-4, "first gradient": 5e-2}
"""Relative errors under which two networks count as one."""


class Layer(nn.Module):
    """Convolution with TensorFlow's SAME padding, batch normalisation, ReLU6."""

    def __init__(self, arrays: Mapping[str, np.ndarray], name: str, stride: int = 1, act: bool = True, shuffled=False):
        super().__init__()
        kernel = arrays[f"{name}/kernel"].transpose(3, 2, 0, 1)
        norm = {part: arrays[f"{name}/norm/{part}"] for part in ("scale", "bias", "mean", "var")}
        if shuffled:  # ours are (row, column, channel) before the shuffle, PyTorch's (channel, row, column)
            order = np.arange(len(kernel)).reshape(4, -1).T.reshape(-1)
            kernel, norm = kernel[order], {part: values[order] for part, values in norm.items()}
        features, inputs, self.size, _ = kernel.shape
        depthwise = inputs == 1 and features > 1 and self.size > 1
        self.stride, self.act = stride, act
        padding = self.size // 2 if stride == 1 else 0
        groups = features if depthwise else 1
        self.conv = nn.Conv2d(inputs * groups, features, self.size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(features, eps=1e-3, momentum=0.01)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(kernel))
            for own, part in (("weight", "scale"), ("bias", "bias"), ("running_mean", "mean"), ("running_var", "var")):
                getattr(self.norm, own).copy_(torch.tensor(norm[part]))

    def forward(self, images):
        """(batch, channel, height, width) -> the same of `features` channels."""
        if self.stride == 2:
            height, width = (2 - size % 2 for size in images.shape[2:])
            images = functional.pad(images, (2 - width, 1, 2 - height, 1))
        features = self.norm(self.conv(images))
        return functional.relu6(features) if self.act else features


class Block(nn.Module):
    """MobileNetV2's inverted residual."""

    def __init__(self, arrays: Mapping[str, np.ndarray], name: str, stride: int):
        super().__init__()
        self.expand = Layer(arrays, f"{name}/expand") if f"{name}/expand/kernel" in arrays else nn.Identity()
        self.depthwise = Layer(arrays, f"{name}/depthwise", stride)
        self.project = Layer(arrays, f"{name}/project", act=False)
        first = arrays[f"{name}/expand/kernel"].shape[2] if f"{name}/expand/kernel" in arrays else None
        self.residual = stride == 1 and first == arrays[f"{name}/project/kernel"].shape[3]

    def forward(self, images):
        """One block."""
        narrow = self.project(self.depthwise(self.expand(images)))
        return images + narrow if self.residual else narrow


class Twin(nn.Module):
    """MobilePose in PyTorch: (batch, 3, height, width) RGB 0..255 -> logits (batch, joint, height / 4, width / 4)."""

    def __init__(self, model: MobilePose):
        super().__init__()
        arrays = {name: np.asarray(array) for name, array in flatten(model).items()}
        self.stem = Layer(arrays, "trunk/stem", 2)
        strides = [block.depthwise.stride for block in model.trunk.blocks]
        self.blocks = nn.ModuleList(Block(arrays, f"trunk/blocks/{row}", stride) for row, stride in enumerate(strides))
        self.taps = model.trunk.taps
        for name in ("to_16", "to_8"):
            setattr(self, f"{name}_up", Layer(arrays, f"head/{name}/up", act=False, shuffled=True))
            setattr(self, f"{name}_lateral", Layer(arrays, f"head/{name}/lateral", act=False))
        self.refine_depthwise = Layer(arrays, "head/refine_depthwise")
        self.refine = Layer(arrays, "head/refine")
        kernel, bias = arrays["head/kernel"].transpose(3, 2, 0, 1), arrays["head/bias"]
        order = np.arange(len(bias)).reshape(4, -1).T.reshape(-1)
        self.last = nn.Conv2d(kernel.shape[1], len(bias), 1)
        with torch.no_grad():
            self.last.weight.copy_(torch.tensor(kernel[order]))
            self.last.bias.copy_(torch.tensor(bias[order]))

    def rise(self, name: str, deep, shallow):
        """A step up the pyramid."""
        risen = functional.pixel_shuffle(getattr(self, f"{name}_up")(deep), 2)
        risen = risen[:, :, : shallow.shape[2], : shallow.shape[3]]
        return functional.relu6(risen + getattr(self, f"{name}_lateral")(shallow))

    def forward(self, images):
        """Logits; normalisation by PyTorch's own switch between training and evaluation."""
        features, tapped = self.stem(images * (2 / 255) - 1), []
        for row, block in enumerate(self.blocks):
            features = block(features)
            if row in self.taps:
                tapped.append(features)
        merged = self.rise("to_8", self.rise("to_16", features, tapped[1]), tapped[0])
        return functional.pixel_shuffle(self.last(self.refine(self.refine_depthwise(merged))), 2)


def new_model(config: MobilePoseConfig) -> MobilePose:
    """A network with weights and running statistics drawn at random."""
    model = MobilePose(config, rngs=nnx.Rngs(0))
    random = np.random.default_rng(0)
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        shape, last = variable.get_value().shape, path[-1]
        drawn = {"scale": random.uniform(0.8, 1.2, shape), "var": random.uniform(0.8, 1.2, shape)}
        if last in drawn or last in ("bias", "mean"):
            values = drawn[last] if last in drawn else 0.1 * random.standard_normal(shape)
            variable.set_value(jnp.asarray(values, jnp.float32))
    return model


def pixels(count: int, config: MobilePoseConfig) -> np.ndarray:
    """A place for every joint, (batch, joint), as the index of its pixel in the map."""
    return np.random.default_rng(2).integers(0, np.prod(config.map_size), (count, config.joints))


def draw_crops(count: int, config: MobilePoseConfig) -> np.ndarray:
    """Noise, (batch, height, width, 3)."""
    return np.random.default_rng(1).integers(0, 256, (count, config.image_height, config.image_width, 3), np.uint8)


class Pair:
    """One network twice: functions of a uint8 batch (batch, height, width, 3) in either library."""

    def __init__(self, config: MobilePoseConfig):
        model, self.config = new_model(config), config
        self.twin = Twin(model)
        graphdef, params, rest = nnx.split(model, nnx.Param, ...)  # type: ignore[misc]

        def loss(params, rest, images):
            network = nnx.merge(graphdef, params, rest, copy=True)
            logits = network(images, train=True).reshape(len(images), -1, config.joints)
            right = jnp.asarray(pixels(len(images), config))[:, None]
            chances = jnp.take_along_axis(jax.nn.log_softmax(logits, 1), right, 1)
            return -jnp.mean(chances), nnx.state(network, nnx.BatchStat)

        forward = jax.jit(lambda params, rest, images: nnx.merge(graphdef, params, rest)(images))
        step = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self.forward = lambda images: jax.block_until_ready(forward(params, rest, images))
        self.step = lambda images: jax.block_until_ready(step(params, rest, images))

    def twin_images(self, images: np.ndarray, layout):
        """A batch as PyTorch wants it."""
        return torch.tensor(images).permute(0, 3, 1, 2).float().contiguous(memory_format=layout)

    def twin_forward(self, images):
        """Logits of the twin, running statistics normalising."""
        self.twin.eval()
        with torch.inference_mode():
            return self.twin(images)

    def twin_step(self, images):
        """Loss of the twin, whose parameters have their gradients afterwards."""
        self.twin.train()
        self.twin.zero_grad()
        chances = functional.log_softmax(self.twin(images).flatten(2), -1)
        right = torch.tensor(pixels(len(images), self.config))[..., None]
        loss = -chances.gather(-1, right).mean()
        loss.backward()
        return loss

    def disagreement(self, images: np.ndarray) -> dict[str, float]:
        """Relative errors (norm of the difference over norm): maps, training loss, last and first kernel's gradients.

        A rounding that falls on the other side of a ReLU6's corner changes a gradient for good, one in about 100,000
        values on the way back; hence the first kernel's error of some thousandths. In float64 it is not there.
        """
        seen = self.twin_images(images, torch.contiguous_format)
        running = {name: value.clone() for name, value in self.twin.state_dict().items()}
        theirs = [self.twin_forward(seen).permute(0, 2, 3, 1).numpy(), self.twin_step(seen).detach().numpy()]
        order = np.arange(4 * self.config.joints).reshape(-1, 4).T.reshape(-1)
        theirs.append(self.twin.last.weight.grad.permute(2, 3, 1, 0).numpy()[..., order])
        theirs.append(self.twin.stem.conv.weight.grad.permute(2, 3, 1, 0).numpy())
        self.twin.load_state_dict(running)
        (loss, _), gradient = self.step(images)
        ours = [self.forward(images), loss, gradient["head"]["kernel"][...], gradient["trunk"]["stem"]["kernel"][...]]
        return {
            name: float(np.linalg.norm(np.asarray(a) - b) / np.linalg.norm(b))
            for name, a, b in zip(ALLOWED, ours, theirs, strict=True)
        }


def in_turns(runs: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, tuple[float, float]]:
    """Median wall and processor seconds of each, called in turns for `seconds`; the first round does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(next(iter(times.values()))) < 4:
        for name, run in runs.items():
            time.sleep(0.005)  # threads of the other library that still spin go to sleep
            start, used = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - start, time.process_time() - used))
    return {name: tuple(np.median(values[1:], axis=0).tolist()) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=16, help="batch of the training step")
    parser.add_argument("--seconds", type=float, default=10.0, help="time to spend on each row")
    parser.add_argument("--threads", type=int, help="cores that either library may use, by default all")
    arguments = parser.parse_args()
    if arguments.threads:  # before JAX looks how many there are
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.threads :])
        torch.set_num_threads(arguments.threads)
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    for name in arguments.networks:
        compare(name, arguments.batch, arguments.seconds)


def compare(name: str, training_batch: int, seconds: float) -> None:
    """Check and time one network; print its table."""
    config = NETWORKS[name]
    pair = Pair(config)
    errors = pair.disagreement(draw_crops(4, config))
    print(f"\n{name}, {config.image_width}x{config.image_height}: relative error against the twin: "
          + ", ".join(f"{what} {error:.1e}" for what, error in errors.items()))  # fmt: skip
    if not all(errors[what] <= most for what, most in ALLOWED.items()):  # an error that is no number is one
        sys.exit("pose_network: the two networks do not compute the same")
    print("| what | batch | images/s here | PyTorch | ratio | processor ms/image here | PyTorch | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    rows = (("forward", 1), ("forward", 8), ("training step", training_batch))
    for what, batch in rows:
        images = draw_crops(batch, config)
        ours, theirs = (pair.step, pair.twin_step) if what == "training step" else (pair.forward, pair.twin_forward)
        runs = {"here": partial(ours, jnp.asarray(images))}
        for layout in (torch.contiguous_format, torch.channels_last):
            runs[str(layout)] = partial(theirs, pair.twin_images(images, layout))
        took = in_turns(runs, seconds)
        here = took.pop("here")
        wall, processor = (min(values) for values in zip(*took.values(), strict=True))
        print(f"| {what} | {batch} | {batch / here[0]:.0f} | {batch / wall:.0f} | {wall / here[0]:.2f} | "
              f"{1e3 * here[1] / batch:.1f} | {1e3 * processor / batch:.1f} | {processor / here[1]:.2f} |",
              flush=True)  # fmt: skip
        if batch == 1:
            reached = 1 / here[0] >= BARS[name]
    print(f"{BARS[name]} images/s at batch 1, meant for two idle cores, are {'reached' if reached else 'missed'}")


if __name__ == "__main__":
    main()
