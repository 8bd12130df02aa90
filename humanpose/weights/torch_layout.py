"""What the tables for PyTorch's and Torch7's names share: names of a normalisation, layout of a kernel, colours."""

import numpy as np

NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
"""Our names of a normalisation's arrays -> theirs."""

COLOUR_MEAN, COLOUR_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet's pictures in [0, 1]: what torchvision and timm take off, and divide by."""


def last_first(kernel: np.ndarray) -> np.ndarray:
    """(features, channel, height, width) -> (height, width, channel, features); the transposed kernel likewise."""
    return kernel.transpose(2, 3, 1, 0)


def no_bias(kernel: np.ndarray) -> np.ndarray:
    """Zeros (features,), for a convolution that leaves its bias to the normalisation."""
    return np.zeros(kernel.shape[0], np.float32)
