"""Whose variable is whose parameter: against what torchvision, timm and Keras themselves compute, and by structure."""

import functools
import hashlib
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from flax import nnx

from humanpose import checkpoint
from humanpose.checkpoint import CheckpointError
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobilenet_v2 import MobileNetV2, MobileNetV2Config
from humanpose.weights import (
    KeyTable,
    Made,
    compare,
    convert,
    fill,
    inception_resnet_trunk,
    mobilenet_v2,
)
from humanpose.weights.arrays import WeightsFileError
from humanpose.weights.recognize import recognize

pytestmark = pytest.mark.usefixtures("lightly_compiled")
TINY = 0.35
GOLDEN = np.load(Path(__file__).parent / "golden" / "golden_trunks.npz", allow_pickle=False)


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What the other libraries were given: drawn from the variable's own name (tests/golden/README.md)."""
    random, last = np.random.RandomState(zlib.crc32(name.encode())), name.replace(".", "/").split("/")[-1]
    if last in ("running_var", "moving_variance"):
        value = 0.5 + random.rand(*shape)
    elif last in ("bias", "beta", "running_mean", "moving_mean"):
        value = 0.1 * random.randn(*shape)
    elif len(shape) == 1:
        value = 1 + 0.1 * random.randn(*shape)
    elif last == "kernel":
        value = random.randn(*shape) * np.sqrt(2 / (np.prod(shape[:2]) * (1 if "depthwise" in name else shape[2])))
    else:
        value = random.randn(*shape) * np.sqrt(2 / np.prod(shape[1:]))
    return value.astype(np.float32)


@functools.cache
def own_shapes(build, config) -> dict[str, tuple[int, ...]]:
    variables = checkpoint.variables(abstract(build, config))
    return {path: tuple(variable.get_value().shape) for path, variable in variables.items()}


def foreign_shapes(own: dict[str, tuple[int, ...]], table: KeyTable, torch: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of the other library's variables, from ours and its layout."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, (names, _) in table.sources().items():
        shape = own[path]
        if len(shape) == 4 and torch:
            shape = (shape[3], shape[2], shape[0], shape[1])
        elif "depthwise" in path and len(shape) == 4:
            shape = (*shape[:2], shape[3], shape[2])
        shapes |= {name: shape if place == 0 else (own[path][-1],) for place, name in enumerate(names)}
    return shapes


def abstract(build, config):
    return nnx.eval_shape(lambda: build(config, rngs=nnx.Rngs(0)))


def filled(model, table: KeyTable, torch: bool) -> nnx.Module:
    """The network with weights drawn by the other library's names."""
    own = {path: tuple(variable.get_value().shape) for path, variable in checkpoint.variables(model).items()}
    shapes = foreign_shapes(own, table, torch)
    fill(model, {name: draw(name, shape) for name, shape in shapes.items()}, table)
    return model


def picked(array) -> np.ndarray:
    flat = np.asarray(array).reshape(-1)
    return flat[:: max(1, flat.size // 97)]


def relative_error(actual, expected) -> float:
    return float(np.linalg.norm(np.asarray(actual, np.float64) - expected) / np.linalg.norm(expected))


@jax.jit
def maps(model, images):
    return model(images * (2 / 255) - 1)


@pytest.mark.parametrize(
    ("names", "padding", "table"),
    [
        ("torchvision", "symmetric", mobilenet_v2.torchvision_table),
        ("timm", "symmetric", mobilenet_v2.timm_table),
        ("keras", "same", mobilenet_v2.keras_table),
    ],
)
def test_mobile_trunks_compute_what_their_libraries_compute(names, padding, table):
    config = MobileNetV2Config(TINY, padding=padding)
    model = filled(abstract(MobileNetV2, config), table(config), torch=names != "keras")
    images = np.random.RandomState(0).randint(0, 256, (1, 64, 48, 3)).astype(np.float32)
    for place, found in enumerate(maps(model, jnp.asarray(images))):
        assert relative_error(picked(found), GOLDEN[f"{names}_{place}"]) < 1e-4, (names, place)


def test_the_padding_is_not_a_matter_of_taste():
    """With the other padding the same weights are another network: what the config's field is for."""
    config = MobileNetV2Config(TINY, padding="same")
    model = filled(abstract(MobileNetV2, config), mobilenet_v2.torchvision_table(config), torch=True)
    images = np.random.RandomState(0).randint(0, 256, (1, 64, 48, 3)).astype(np.float32)
    assert relative_error(picked(maps(model, jnp.asarray(images))[0]), GOLDEN["torchvision_0"]) > 0.1


@pytest.mark.parametrize("names", ["keras", "timm"])
def test_inception_trunks_compute_what_their_libraries_compute(names):
    """Stem, Mixed_5b, one block of 35, Mixed_6a, one of 17."""
    config = InceptionResNetConfig(image_size=107, blocks_35=1, blocks_17=1)
    model = InceptionResNet(config, rngs=nnx.Rngs(0))
    if names == "timm":
        table = inception_resnet_trunk.timm_table(config)
    else:
        numbers = ["", *(f"_{number}" for number in range(1, 27))]
        layers = [f"{kind}{number}/x" for kind in ("conv2d", "batch_normalization") for number in numbers]
        table = inception_resnet_trunk.keras_table(config, layers)
    filled(model, table, torch=names == "timm")
    images = np.random.RandomState(1).randint(0, 256, (1, 107, 107, 3)).astype(np.float32)

    @jax.jit
    def trunk(model, images):
        features = model.mixed_5b(model.stem(images * (2 / 255) - 1))
        first = model.blocks_35[0](features)
        return first, model.blocks_17[0](model.mixed_6a(first))

    for place, found in enumerate(trunk(model, jnp.asarray(images))):
        assert relative_error(picked(found), GOLDEN[f"{names}_inception_{place}"]) < 1e-5, (names, place)


@pytest.mark.parametrize(
    ("network", "width", "digest"),
    [
        ("torchvision", 1.0, "ddfa7f160ae84a36015799ebc729f89dbc50f2bd6dff89b72f9d6b545e71dc9a"),
        ("timm", 0.5, "00cf3974306d444fe56db6f7671769e95bc1ddac69867ff79904298c4376a5aa"),
        ("timm", 1.0, "6e0c2c3cfe58c788084d286fea7a2860b658481baa0ac1ccf42265a8fc85f3dd"),
        ("timm", 1.4, "e145875e8057e2282b2ea0a85465dd3cef8d6f5b09fce4e9050d69642f8e61f7"),
        ("inception", 1.0, "5b35572fd6e6e1cb05867228292fcedbf53ef048f4b0cc51e589f7762b309958"),
    ],
)
def test_names_and_shapes_are_those_of_the_published_networks(network, width, digest):
    """By the checksum of the list that the library's own network has, its classifier left out."""
    if network == "inception":
        own = own_shapes(InceptionResNet, InceptionResNetConfig())
        table = inception_resnet_trunk.timm_table(InceptionResNetConfig())
    else:
        config = MobileNetV2Config(width, padding="symmetric")
        own = own_shapes(MobileNetV2, config)
        table = (mobilenet_v2.timm_table if network == "timm" else mobilenet_v2.torchvision_table)(config)
    lines = sorted(f"{name} {shape}" for name, shape in foreign_shapes(own, table, torch=True).items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


def test_networks_are_told_by_their_names():
    for name, expected in (("pose", "inception_resnet"), ("part_detector", "part_detector")):
        shapes = oracle.variables(name)
        found = recognize(shapes)
        assert (found.network, found.trunk) == (expected, False)
        report = compare(own_shapes(found.build, found.config), shapes, found.table)
        assert report.complete
        assert len(report.filled) == len(shapes)
    body = {name: shape for name, shape in oracle.variables("pose").items() if name.startswith("InceptionResnetV2/")}
    slim = recognize(body | {"InceptionResnetV2/Logits/Logits/weights": (1536, 1001), "global_step": ()})
    assert slim.trunk
    report = compare(own_shapes(slim.build, slim.config), body, slim.table)
    assert report.complete
    assert set(report.kept) == {"head/kernel", "head/bias", "head/up_kernel", "head/up_bias"}


def test_state_dicts_behind_a_prefix_and_of_any_width():
    for width, prefix in ((0.25, ""), (1.0, "module."), (1.4, "state_dict/")):
        config = MobileNetV2Config(width, padding="symmetric")
        own = own_shapes(MobileNetV2, config)
        for table in (mobilenet_v2.torchvision_table(config, prefix), mobilenet_v2.timm_table(config, prefix)):
            shapes = foreign_shapes(own, table, torch=True)
            extra = {f"{prefix}classifier.1.weight": (1000, 1280), f"{prefix}bn1.num_batches_tracked": ()}
            found = recognize(shapes | extra)
            assert found.config == config
            report = compare(found.shapes(), shapes | extra, found.table)
            assert report.complete
            assert set(report.ignored) == set(extra)


def test_a_keras_file_may_count_its_layers_from_anywhere():
    config = InceptionResNetConfig()
    own = own_shapes(InceptionResNet, config)
    tables = []
    for first in (0, 1, 95):
        names = [f"{kind}_{first + place}" for kind in ("conv2d", "batch_normalization") for place in range(203)]
        layers = [name.removesuffix("_0") if name.endswith("_0") else name for name in names]
        tables.append(inception_resnet_trunk.keras_table(config, [f"{layer}/kernel" for layer in layers]))
        rest = {f"{layer}/kernel": (1,) for layer in layers} | {"block8_3_conv/bias": (1,), "conv_7b/kernel": (1,)}
        shapes = rest | foreign_shapes(own, tables[-1], torch=False)
        report = compare(
            own, {name: shape for name, shape in shapes.items() if shape != (1,) or name in rest}, tables[-1]
        )
        assert not report.missing
        assert not report.misshaped
    assert [
        table.paths["conv2d/kernel" if first == 0 else f"conv2d_{first}/kernel"]
        for table, first in zip(tables, (0, 1, 95), strict=True)
    ] == ["stem/conv_1a/kernel"] * 3
    short = inception_resnet_trunk.keras_table(config, ["conv2d_1/kernel", "block35_1_conv/kernel"])
    assert "conv2d number 2/kernel" in compare(own, {"conv2d_1/kernel": (3, 3, 3, 32)}, short).missing


def test_names_of_no_network_and_of_another_are_refused():
    with pytest.raises(WeightsFileError, match=r"\(a ...\) are those of no network that is known"):
        recognize({"a": (1,)})
    with pytest.raises(WeightsFileError, match="there are none"):
        recognize({})
    with pytest.raises(WeightsFileError, match="not of mobile_trunk but those of part_detector"):
        recognize(oracle.variables("part_detector"), "mobile_trunk")
    with pytest.raises(WeightsFileError, match="are of no MobileNetV2"):
        recognize({"features.0.0.weight": (33, 3, 3, 3), "features.17.conv.2.weight": (5, 5, 1, 1)})
    with pytest.raises(WeightsFileError, match="are of no MobileNetV2"):
        recognize({"Conv1/kernel": (3, 3, 3, 32), "bn_Conv1/gamma": (32,)})


class Pair(nnx.Module):
    def __init__(self):
        self.kernel = nnx.Param(jnp.zeros((2, 3)))
        self.bias = nnx.Param(jnp.zeros(3))


def test_tables_make_parameters_of_several_arrays_and_list_what_does_not_fit():
    table = KeyTable(
        {"b": "bias"}, (r"step",), dead=(r"dead/.*",), made={"kernel": Made(("w", "g"), lambda w, g: w.T * g)}
    )
    arrays = {"w": np.arange(6.0).reshape(3, 2), "g": np.array([1.0, 2, 3]), "b": np.ones(3), "step": np.array(1)}
    model = Pair()
    report = fill(model, arrays | {"dead/x": np.ones(2)}, table)
    np.testing.assert_array_equal(model.kernel[...], [[0, 4, 12], [1, 6, 15]])
    assert (report.filled, report.ignored, report.dead, report.complete) == (
        ("b", "g", "w"),
        ("step",),
        ("dead/x",),
        True,
    )
    own = {"kernel": (2, 3), "bias": (3,)}
    with pytest.raises(CheckpointError) as caught:
        convert(own, {"w": np.ones((3, 2)), "g": np.ones(3), "b": np.ones(4), "other": np.ones(1)}, table)
    for line in ("unexpected: other (1,)", "mis-shaped: b expected (3,), got (4,)", "2 names do not fit"):
        assert line in str(caught.value)
    with pytest.raises(CheckpointError, match=r"missing: g"):
        convert(own, {"w": np.ones((3, 2)), "b": np.ones(3)}, table)
    with pytest.raises(CheckpointError, match=r"mis-shaped: w \(2,\) does not transform|mis-shaped: w expected"):
        convert(own, arrays | {"w": np.ones(2)}, table)
    with pytest.raises(CheckpointError, match="not finite: w, g"):
        convert(own, arrays | {"w": np.full((3, 2), np.nan)}, table)
    with pytest.raises(ValueError, match="not of this network"):
        convert({"kernel": (2, 3)}, arrays, table)
