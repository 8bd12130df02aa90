"""Hygiene for every test: no implicit rank promotion, few threads' worth of noise, the real data where it is."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data (GAITNET_DATA), or a skip that says why."""
    root = os.environ.get("GAITNET_DATA", "")
    if not root or not Path(root).is_dir():
        pytest.skip("GAITNET_DATA does not name the folder of real data")
    return Path(root)
