"""A ResNet-152 under torchvision's names in the part detector: names and shapes, and what stem and block compute."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.signal import correlate

from humanpose import checkpoint
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import compare, fill
from humanpose.weights.arrays import WeightsFileError
from humanpose.weights.part_detector_trunk import torch_table
from humanpose.weights.recognize import recognize

pytestmark = pytest.mark.usefixtures("lightly_compiled")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def resnet(blocks: tuple[int, ...], prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's ResNets with bottlenecks, written down from its source's rules."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name: str, features: int) -> None:
        shapes.update({f"{name}.{key}": (features,) for key in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    channel = 64
    for layer, (count, width) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), 1):
        for number in range(count):
            scope = f"layer{layer}.{number}"
            for place, shape in enumerate(((width, channel, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)), 1):
                shapes[f"{scope}.conv{place}.weight"] = shape
                norm(f"{scope}.bn{place}", shape[0])
            if number == 0:
                shapes[f"{scope}.downsample.0.weight"] = (4 * width, channel, 1, 1)
                norm(f"{scope}.downsample.1", 4 * width)
            channel = 4 * width
    return {
        f"{prefix}{name}": shape for name, shape in (shapes | {"fc.weight": (1000, 2048), "fc.bias": (1000,)}).items()
    }


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_whole_resnet_152_fills_the_body_and_leaves_the_head(prefix):
    shapes = resnet((3, 8, 36, 3), prefix)
    found = recognize(shapes)
    assert (found.network, found.trunk) == ("part_detector", True)
    report = compare(found.shapes(), shapes, found.table)
    assert report.complete
    assert set(report.kept) == {"head/kernel", "head/bias", "head/up_kernel", "head/up_bias"}
    assert len(report.filled) == 155 * 5  # convolutions and their normalisations
    assert len(report.ignored) == 155 + 2


def test_a_resnet_of_fewer_blocks_is_no_resnet_152():
    shapes = resnet((3, 4, 6, 3))
    found = recognize(shapes)
    report = compare(found.shapes(), shapes, found.table)
    assert any(name.startswith("layer3.35.") for name in report.missing)
    assert not report.complete
    with pytest.raises(WeightsFileError, match="no network that is known"):
        recognize({name: shape for name, shape in shapes.items() if "conv3" not in name})


def drawn(blocks: tuple[int, ...]) -> dict[str, np.ndarray]:
    random, arrays = np.random.default_rng(0), {}
    for name, shape in resnet(blocks).items():
        if len(shape) == 4:
            arrays[name] = random.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            arrays[name] = random.uniform(0.5, 1.5, shape)
        else:
            arrays[name] = random.normal(size=shape) * 0.1 + name.endswith("weight")
        arrays[name] = arrays[name].astype(np.float32)
    return arrays


def convolve(images: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """(channel, height, width) by torch's (features, channel, height, width), in float64."""
    pad = kernel.shape[-1] // 2
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    rows = [correlate(padded, one.astype(np.float64), "valid")[0] for one in kernel]
    return np.stack(rows)[:, ::stride, ::stride]


def normalise(images: np.ndarray, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    scale, bias, mean, var = (
        arrays[f"{name}.{key}"].astype(np.float64)[:, None, None]
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    return (images - mean) / np.sqrt(var + 1e-5) * scale + bias


def torchvision(picture: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What torchvision computes in stem and the first block of the second stage, which has the stride."""
    stem = convolve(((picture / 255 - MEAN) / DEVIATION).transpose(2, 0, 1), arrays["conv1.weight"], 2)
    told = {"stem": normalise(stem, arrays, "bn1")}
    block = np.random.default_rng(5).normal(size=(256, 6, 6))
    told["given"], scope = block, "layer2.0"
    narrow = np.maximum(normalise(convolve(block, arrays[f"{scope}.conv1.weight"], 1), arrays, f"{scope}.bn1"), 0)
    narrow = np.maximum(normalise(convolve(narrow, arrays[f"{scope}.conv2.weight"], 2), arrays, f"{scope}.bn2"), 0)
    wide = normalise(convolve(narrow, arrays[f"{scope}.conv3.weight"], 1), arrays, f"{scope}.bn3")
    skip = normalise(convolve(block, arrays[f"{scope}.downsample.0.weight"], 2), arrays, f"{scope}.downsample.1")
    told["block"] = np.maximum(wide + skip, 0)
    return told


def test_stem_and_strided_bottleneck_compute_what_torchvision_computes():
    """The stem but for its border; the stride lies in the 3x3 convolution there as here."""
    config = PartDetectorConfig(image_size=32, blocks=(1, 1, 1, 1))
    model, arrays = PartDetector(config, rngs=nnx.Rngs(0)), drawn(config.blocks)
    head = np.asarray(model.head.kernel[...])
    fill(model, arrays, torch_table(config))
    np.testing.assert_array_equal(model.head.kernel[...], head)
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.float32)
    told = torchvision(picture, arrays)
    ours = np.asarray(model.stem(jnp.asarray(picture[None] / 255)))[0].transpose(2, 0, 1)
    np.testing.assert_allclose(ours[:, 2:-2, 2:-2], told["stem"][:, 2:-2, 2:-2], atol=1e-3, rtol=1e-4)
    assert np.abs(ours - told["stem"]).max() > 0.1  # the border is padded with another colour
    block = np.asarray(model.stages[1][0](jnp.asarray(told["given"].transpose(1, 2, 0)[None], jnp.float32)))[0]
    np.testing.assert_allclose(block.transpose(2, 0, 1), told["block"], atol=1e-3, rtol=1e-4)
    assert all(np.isfinite(array).all() for array in checkpoint.flatten(model).values())
