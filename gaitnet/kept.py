"""What was worked out of walks, a small file each, so that a long evaluation that is stopped goes on where it was."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays

FORMAT = "gaitnet-kept-1"


class Record(NamedTuple):
    """Arrays by name, all of plain numbers, and what JSON can say beside them."""

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]


class Kept:
    """A folder of records.

    Args:
        folder: made when something is put in; None keeps nothing.
        made_by: what makes the records: networks and settings. Records that others made are not found.

    """

    def __init__(self, folder: Path | None, made_by: str) -> None:
        self.folder, self.made_by = folder, made_by

    def get(self, name: str) -> Record | None:
        """The record of that name; None where there is none, or a damaged file: it is then to be made anew."""
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        try:
            content = path.read_bytes()
            header = json.loads(str(read_arrays(content, "header")["header"]))
            if header["format"] != FORMAT or header["made_by"] != self.made_by or header["name"] != name:
                return None
            return Record(read_arrays(content, *header["arrays"]), header["about"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def put(self, name: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        """Keep a record; the file appears whole or not at all."""
        path = self._path(name)
        if path is None:
            return
        header = {"format": FORMAT, "made_by": self.made_by, "name": name, "arrays": list(arrays), "about": about}
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, stream.getvalue())

    def _path(self, name: str) -> Path | None:
        """By a digest, since names of walks may be longer than those of files."""
        digest = hashlib.blake2b(json.dumps([self.made_by, name]).encode(), digest_size=16).hexdigest()
        return None if self.folder is None else self.folder / f"{digest}.npz"
