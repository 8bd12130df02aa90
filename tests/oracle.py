"""What the original's graphs hold and how the oracle drew it: names, shapes and values (tests/golden/README.md)."""

import json
import re
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "golden"


def variables(network: str) -> dict[str, tuple[int, ...]]:
    """Shape of every variable of "pose" or "part_detector"; `{a..b}` in a name stands for that range of numbers."""
    listed = json.loads((GOLDEN / f"{network}_variables.json").read_text())
    return {name: tuple(shape) for template, shape in listed for name in expanded(template)}


def expanded(template: str) -> list[str]:
    found = re.search(r"\{(\d+)\.\.(\d+)\}", template)
    if found is None:
        return [template]
    numbers = range(int(found[1]), int(found[2]) + 1)
    return [f"{template[: found.start()]}{number}{template[found.end() :]}" for number in numbers]


def recipe(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value the oracle gave a variable: drawn from its own name."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("moving_variance"):
        value = 0.5 + rng.rand(*shape)
    elif name.endswith(("moving_mean", "beta", "biases", "bias")):
        value = 0.1 * rng.randn(*shape)
    elif name.endswith("gamma"):
        value = (1 + 0.1 * rng.randn(*shape)) * (0.2 if "BatchNorm_3" in name else 1)
    else:
        transposed = "Upsampling" in name or "transpose" in name
        value = rng.randn(*shape) * np.sqrt(2 / (shape[-1] if transposed else max(1, np.prod(shape[:-1]))))
    return value.astype(np.float32)


def weights(network: str) -> dict[str, np.ndarray]:
    """Every variable's value."""
    return {name: recipe(name, shape) for name, shape in variables(network).items()}


def golden(network: str) -> dict[str, np.ndarray]:
    """What the original computes from them."""
    with np.load(GOLDEN / f"golden_{network}.npz", allow_pickle=False) as file:
        return dict(file)


def relative_error(actual, expected) -> float:
    return float(np.linalg.norm(np.asarray(actual) - expected) / np.linalg.norm(expected))
