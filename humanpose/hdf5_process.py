"""HDF5 files of others, first looked at by a process of its own: damaged ones can hang or crash the library."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 30
"""How long the look may take; at the largest file of weights here it takes two."""
LONGEST_LISTING = 1 << 24
"""Bytes."""


def looked_at(path: str | Path, *names: str) -> dict[str, Any]:
    """What `hdf5_listing` says of a file: the weights of Keras in it; or nothing, once it has read the datasets named.

    Raises ValueError where it refuses the file, or does not come to an end.
    """
    script = Path(__file__).parent / "hdf5_listing.py"
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(script), str(path), *names], capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the HDF5 library found no end in it within {SECONDS} seconds") from error
    if done.returncode or len(done.stdout) > LONGEST_LISTING:
        raise ValueError(f"the HDF5 library failed at it (exit code {done.returncode})")
    told = json.loads(done.stdout)
    if "refused" in told:
        raise ValueError(told["refused"])
    return told
