"""The gallery: who is enrolled, in one file that survives a kill at any moment.

The file is an .npz (stored, not compressed) of `vectors` (template, size) float32 and `manifest`, JSON as bytes: format
and version, the sha256 of the model the vectors come from, a checksum, and one entry per template. Nothing in it can
execute code. Writers take a lock beside the file, read it afresh, write a temporary file, flush it to the disk and put
it in place in one step; a reader sees the old gallery or the new one, never something in between.
"""

import csv
import fcntl
import glob
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from gaitnet.identification.arrays import read_arrays

FORMAT, VERSION = "gaitnet-gallery", 1
LOCK_SECONDS = 10.0
"""How long a writer waits for another before it gives up."""


class GalleryError(ValueError):
    """A gallery that cannot be used: corrupt, of another model, or busy."""


@dataclass(frozen=True)
class Template:
    """One enrolled vector: whose, when (ISO 8601, UTC), and what the enroller noted (JSON-ready)."""

    subject_id: str
    enrolled_at: str
    meta: Mapping[str, Any]


class SubjectSummary(NamedTuple):
    """One line of `Gallery.list`."""

    subject_id: str
    templates: int
    first_enrolled_at: str
    last_enrolled_at: str


class Gallery:
    """Enrolled people and their identification vectors, kept in the file `path`.

    `model_sha256` names the network that makes the vectors (lower-case hex); vectors of different networks cannot be
    compared, so a file of another network is refused. `size` is the length of a vector. A file that does not exist yet
    is an empty gallery, and so is one that all have left; the first `enroll` creates it, readable by its owner only.
    Raises GalleryError for a file that is corrupt, newer than this program, or of another model.

    `vectors` (template, size) and `templates` are in enrolment order, as of the last read or write; `reload` reads
    again.
    """

    def __init__(self, path: str | Path, model_sha256: str, size: int = 512):
        self.path, self.model_sha256, self.size = Path(path).resolve(), model_sha256, size
        self.templates: tuple[Template, ...] = ()
        self.vectors: np.ndarray = np.zeros((0, size), np.float32)
        self.reload()

    @property
    def subject_ids(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted({template.subject_id for template in self.templates}))

    @property
    def template_subject_ids(self) -> tuple[str, ...]:
        """Whose each row of `vectors` is."""
        return tuple(template.subject_id for template in self.templates)

    def reload(self) -> None:
        """Read the file again, to see what other processes enrolled."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            self.templates, self.vectors = (), np.zeros((0, self.size), np.float32)
            return
        manifest, vectors = decode_gallery(content, self.path)
        if not len(vectors):  # everybody was removed: nothing is left that would belong to a model
            self.templates, self.vectors = (), np.zeros((0, self.size), np.float32)
            return
        if manifest["model_sha256"] != self.model_sha256:
            raise GalleryError(
                f"{self.path} was enrolled with model {manifest['model_sha256']}, but the model in use is "
                f"{self.model_sha256}; their vectors cannot be compared. Use the model of the gallery, or enrol "
                "everybody again in a new gallery."
            )
        if vectors.shape[1] != self.size:
            raise GalleryError(f"{self.path} holds vectors of {vectors.shape[1]} numbers, expected {self.size}")
        self.templates = tuple(Template(**entry) for entry in manifest["templates"])
        self.vectors = vectors

    def enroll(
        self, subject_id: str, vectors: Float[np.ndarray, "template size"], meta: Mapping[str, Any] | None = None
    ) -> None:
        """Add vectors (one per sequence) of a person, new or known; see `enroll_walks`."""
        self.enroll_walks(subject_id, [(vectors, meta or {})])

    def enroll_walks(
        self, subject_id: str, walks: Sequence[tuple[Float[np.ndarray, "template size"], Mapping[str, Any]]]
    ) -> None:
        """Add several walks' vectors (one per sequence) of a person, in one step: all of them or none.

        They are on the disk when this returns. What is said of a walk is kept with each of its vectors and must be
        JSON-ready. Raises ValueError for an unusable name, vectors of another size, without length (nobody was
        described) or not finite; GalleryError while another process keeps the lock.
        """
        if not subject_id.strip() or not subject_id.isprintable():
            raise ValueError(f"subject_id: expected printable text that is not blank, got {subject_id!r}")
        templates: tuple[Template, ...] = ()
        for vectors, meta in walks:
            if vectors.ndim != 2 or vectors.shape[0] < 1 or vectors.shape[1] != self.size:
                raise ValueError(
                    f"vectors: expected (template, {self.size}) with at least one row, got {vectors.shape}"
                )
            if not np.isfinite(vectors).all() or not np.any(vectors, axis=1).all():
                raise ValueError(
                    "vectors: expected finite rows that are not all zero; leave sequences without a walker out"
                )
            try:
                kept = json.loads(json.dumps(dict(meta), allow_nan=False))
            except (TypeError, ValueError) as error:
                raise ValueError(f"meta: expected what JSON can hold, got {meta!r} ({error})") from error
            template = Template(subject_id, datetime.now(UTC).isoformat(timespec="seconds"), kept)
            templates += (template,) * len(vectors)
        added = [vectors.astype(np.float32) for vectors, _ in walks]
        with self._exclusive():
            self._replace(self.templates + templates, np.concatenate([self.vectors, *added]))

    def remove(self, subject_id: str) -> int:
        """Forget a person; return how many vectors went. Raises ValueError where nobody of that name is enrolled."""
        with self._exclusive():
            keep = np.array([template.subject_id != subject_id for template in self.templates], bool)
            if keep.all():
                raise ValueError(f"subject_id: {subject_id!r} is not enrolled in {self.path}")
            kept = tuple(template for template, stays in zip(self.templates, keep, strict=True) if stays)
            self._replace(kept, self.vectors[keep])
            return int((~keep).sum())

    def list(self) -> list[SubjectSummary]:
        """Everybody enrolled, by name: how many vectors, first and last enrolment."""
        dates: dict[str, list[str]] = {}
        for template in self.templates:
            dates.setdefault(template.subject_id, []).append(template.enrolled_at)
        return [SubjectSummary(name, len(when), min(when), max(when)) for name, when in sorted(dates.items())]

    def export(self, kind: Literal["json", "csv"]) -> str:
        """The whole gallery as text: JSON, or CSV with one row per vector (subject_id, enrolled_at, meta, v0 ...)."""
        rows = [
            {"subject_id": entry.subject_id, "enrolled_at": entry.enrolled_at, "meta": dict(entry.meta)}
            for entry in self.templates
        ]
        if kind == "json":
            rows = [row | {"vector": vector.tolist()} for row, vector in zip(rows, self.vectors, strict=True)]
            return json.dumps(
                {"format": FORMAT, "version": VERSION, "model_sha256": self.model_sha256, "templates": rows}
            )
        if kind != "csv":
            raise ValueError(f"kind: expected 'json' or 'csv', got {kind!r}")
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["subject_id", "enrolled_at", "meta", *(f"v{index}" for index in range(self.size))])
        for row, vector in zip(rows, self.vectors, strict=True):
            writer.writerow([row["subject_id"], row["enrolled_at"], json.dumps(row["meta"]), *vector.tolist()])
        return text.getvalue()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep other writers out, and start from what the last one left; the kernel frees a killed process's lock."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_name(self.path.name + ".lock"), "a", encoding="utf-8") as lock:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise GalleryError(
                            f"{self.path} has been locked by another process for {LOCK_SECONDS:g} s; try again later"
                        ) from None
                    time.sleep(0.02)
            self.reload()
            yield

    def _replace(self, templates: tuple[Template, ...], vectors: np.ndarray) -> None:
        # of writers that were killed: we hold the lock; eight letters, so that those of "NAME.old" are let alone
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.{'?' * 8}.tmp"):
            left.unlink(missing_ok=True)
        content = _encode(templates, vectors, self.model_sha256)
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent)
        try:
            with open(descriptor, "wb") as file:
                if self.path.exists():
                    os.fchmod(file.fileno(), self.path.stat().st_mode & 0o777)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too, must outlive a power cut
        finally:
            os.close(folder)
        self.templates, self.vectors = templates, vectors


def _encode(templates: tuple[Template, ...], vectors: np.ndarray, model_sha256: str) -> bytes:
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "model_sha256": model_sha256,
        "vectors_sha256": hashlib.sha256(vectors.tobytes()).hexdigest(),
        "templates": [vars(template) for template in templates],
    }
    buffer = io.BytesIO()
    np.savez(buffer, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8), vectors=vectors)
    return buffer.getvalue()


def decode_gallery(content: bytes, path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Manifest and vectors of a gallery file, everything checked; any other bytes raise GalleryError."""
    try:
        arrays = read_arrays(content, "manifest", "vectors")
        manifest, vectors = json.loads(arrays["manifest"].tobytes()), arrays["vectors"]
        if manifest["format"] != FORMAT or not isinstance(manifest["version"], int):
            raise ValueError(f"its format is {manifest['format']!r}")
        if manifest["version"] > VERSION:
            raise GalleryError(
                f"{path}: version {manifest['version']} is newer than this program reads ({VERSION}); update gaitnet"
            )
        if not isinstance(manifest["model_sha256"], str):
            raise ValueError("no model named")
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(manifest["templates"]):
            raise ValueError("vectors and manifest do not agree")
        if hashlib.sha256(vectors.tobytes()).hexdigest() != manifest["vectors_sha256"]:
            raise ValueError("checksum of the vectors is wrong")
        for entry in manifest["templates"]:
            template = Template(**entry)
            if not isinstance(template.subject_id, str) or not isinstance(template.enrolled_at, str):
                raise ValueError("an entry without name or date")
            if not isinstance(template.meta, dict):
                raise ValueError("an entry whose remarks are no mapping")
    except GalleryError:
        raise
    except Exception as error:  # json and what it describes can be wrong in a dozen ways
        raise GalleryError(
            f"{path} is not a sound gallery ({type(error).__name__}: {error}); restore it from a copy, or enrol anew"
        ) from error
    return manifest, vectors
