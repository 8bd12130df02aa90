"""By what a cache is known to be that of its records: what they say, and what their pictures hold."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from humanpose.datasets.pictures import picture_bytes
from humanpose.datasets.record import PoseRecord


def fingerprint(records: Sequence[PoseRecord]) -> str:
    """A sha256 of all that records say, but for the folder in which their pictures lie and what these show."""
    whole = hashlib.sha256()
    for one in records:
        words = (one.path.name, one.frame, one.source, one.walks_left, one.head, one.split, one.subject, one.action,
                 one.camera)  # fmt: skip
        whole.update(repr(words).encode(errors="surrogateescape"))
        for array in (one.box, one.keypoints):
            whole.update(np.asarray(array, np.float32).tobytes())
        whole.update(np.packbits(one.visible).tobytes())
        whole.update(b"-" if one.hidden is None else np.packbits(one.hidden).tobytes())
        whole.update(b"-" if one.opinion is None else np.asarray(one.opinion, np.float32).tobytes())
    return whole.hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file; OSError where it cannot be read."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def contents(records: Sequence[PoseRecord]) -> dict[str, str]:
    """Name of each picture and video of a shard -> what tells whether it has changed; "" where it cannot be read.

    Photographs are told by their bytes, which cost little beside decoding them; videos, which may be hours long, by
    their length and time.
    """
    found = {}
    for path, video in dict.fromkeys((one.path, one.frame is not None) for one in records):
        try:
            about = os.stat(path)
            told = f"{about.st_size} {about.st_mtime_ns}".encode() if video else picture_bytes(path)
            found[str(path)] = hashlib.blake2b(told, digest_size=8).hexdigest()
        except (OSError, ValueError):
            found[str(path)] = ""
    return found
