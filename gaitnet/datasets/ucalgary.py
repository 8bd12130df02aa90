"""UCalgary's normal and abnormal gait: 28 people who walk towards a Kinect of the second kind, six runs each.

Kozlow, Abid, Yanushkevich, "Utilizing gait traits to improve e-border watchlist performance", SSCI 2017. Runs 1-2 are
normal, 3-4 have the right leg impaired, 5-6 the left; run 7 of the first five people was a trial and is left out. Files
`subN/RunK/subjectN_Seq_K_Gen_S_GeometricPositions_T.csv`, a frame a line. What stands for the sex in their names
differs between the runs of one person and is not read.

As it is handed on, the files of subject 10 are those of subject 4 and run 6 of subject 6 is its run 5: they are
left out.
"""

import hashlib
import re
import stat
from pathlib import Path

import numpy as np

from gaitnet.datasets.dropped import DAMAGED, EMPTY, IGNORED, NAME, SAME, Dropped, hand_over, unusable
from gaitnet.datasets.frame_folder import subfolders
from gaitnet.datasets.keypoints import Keypoints, keypoints_of
from gaitnet.datasets.record import Sequence, require_unique

JOINTS = (
    "footleft", "ankleleft", "kneeleft", "hipleft", "footright", "ankleright", "kneeright", "hipright",
    "spinebase", "spinemid", "neck", "head", "shoulderleft", "shoulderright", "wristleft", "wristright",
    "elbowleft", "elbowright",
)  # fmt: skip
"""In the order of the files' columns, three each."""
_HEADING = (
    "footleft", "ankleleft", "kneeleft", "hipleft", "footright", "ankleright", "kneeright", "hipright", "spinebase",
    "spinemid", "neck", "head", "shouldl", "shouldr", "wristleft", "wristright", "elbowleft", "elbowright",
)  # fmt: skip
CONDITIONS = {"N": "NM", "AR": "AR", "AL": "AL"}
RUNS = {"1": "N", "2": "N", "3": "AR", "4": "AR", "5": "AL", "6": "AL"}
RATE = 30.0
"""Frames a second of the sensor; the files do not say it."""
SUBJECTS = 28
LARGEST, MOST_LINES, MOST_BYTES = 20.0, 100_000, 1 << 28
"""Metres from the sensor beyond which no joint can be, frames of a run, and bytes of its file."""

_FILE = re.compile(r"subject(\d{1,3})_Seq_(\d)_Gen_[A-Z]_GeometricPositions_(N|AR|AL|OA)", re.IGNORECASE)


def read_ucalgary(root: Path, dropped: list[Dropped] | None = None) -> list[Sequence]:
    """Every run but the seventh, by person: condition "NM", "AR" or "AL", view 0 degrees.

    Args:
        root: folder of the people's folders.
        dropped: is told what is left out; where None, a warning sums it up.

    Raises:
        ValueError: `root` is no folder or holds no runs; two of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the UCalgary runs, got {root}, which is not a folder")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    for person in subfolders(root):
        for run in subfolders(person):
            files = [path for path in sorted(run.iterdir()) if "GeometricPositions" in path.name]
            named = re.fullmatch(r"sub(\d{1,3})/Run(\d)", f"{person.name}/{run.name}", re.IGNORECASE)
            if not files:
                out.append(Dropped(EMPTY, str(run), "no GeometricPositions"))
            for path in files:
                match = _FILE.fullmatch(path.stem)
                if match is not None and match[2] == "7":
                    out.append(Dropped(IGNORED, str(path), "run 7 was a trial"))
                elif match is None or named is None or match.groups()[:2] != named.groups():
                    out.append(Dropped(NAME, str(path), "expected subN/RunK/subjectN_Seq_K_..._GeometricPositions_T"))
                elif RUNS.get(match[2]) != match[3].upper():
                    out.append(Dropped(NAME, str(path), f"run {match[2]} is {RUNS.get(match[2], 'none')}"))
                elif (bad := unusable(path)) is not None:
                    out.append(bad)
                else:
                    who, condition = f"{int(match[1]):02d}", CONDITIONS[match[3].upper()]
                    walks.append(Sequence(who, condition, "", 0.0, match[2], path, kind="keypoints"))
    if not walks:
        raise ValueError(f"root: expected sub1/Run1/*_GeometricPositions_N.csv in {root}, got none; check the path")
    require_unique(walks)
    known: dict[bytes, Sequence] = {}
    for walk in sorted(walks, key=lambda walk: walk.name):
        try:
            content = _digest(walk.path)
        except ValueError as error:
            out.append(Dropped(DAMAGED, str(walk.path), str(error)))
            continue
        if (other := known.setdefault(content, walk)) is not walk:
            out.append(Dropped(SAME, str(walk.path), f"as {other.path.name}"))
    hand_over(out, dropped, f"UCalgary in {root}")
    return list(known.values())


def load_ucalgary(path: Path) -> Keypoints:
    """The 18 joints of a run in metres: x away from the sensor, y to its left, z up; those the sensor lost are missing.

    Raises:
        ValueError: not such a file, other columns, no frames, or a place that is no number or far away.

    """
    path = Path(path)
    try:
        _require_modest(path)
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise ValueError(f"path: cannot read {path}: {error.strerror}; name a GeometricPositions .csv") from None
    count = 3 * len(JOINTS)
    heading = [
        re.sub(r"\s", "", word).lower().removesuffix("x") for word in (lines[0] if lines else "").split(",")[:count:3]
    ]
    if tuple(heading) != _HEADING:
        raise _malformed(path, "a first line that names 18 joints", repr((lines[0] if lines else "")[:60]))
    rows = [line.split(",") for line in lines[1:] if line.strip()]
    if not 0 < len(rows) <= MOST_LINES:
        raise _malformed(path, f"1 to {MOST_LINES:,} frames", str(len(rows)))
    places = np.zeros((len(rows), count))
    for number, row in enumerate(rows):
        try:
            places[number] = [float(word) for word in row[:count]]
        except ValueError:
            places[number] = np.nan
        if not (np.abs(places[number]) < LARGEST).all():
            raise _malformed(path, f"{count} numbers of metres in frame {number + 1}", repr(",".join(row)[:60]))
    x, y, z = np.moveaxis(places.reshape(len(rows), len(JOINTS), 3), -1, 0)
    lost = (x == 0) & (y == 0) & (z == 0)
    return keypoints_of(np.stack([z, x, y], -1), JOINTS, RATE, lost)


def missing_of_ucalgary(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    people = {walk.subject_id for walk in walks}
    missing = [f"people: {len(people)} of {SUBJECTS}"] if len(people) < SUBJECTS else []
    if len(walks) < len(RUNS) * len(people):
        missing.append(f"runs: {len(walks)} of {len(RUNS) * len(people)} of these people")
    return missing


def _digest(path: Path) -> bytes:
    """By what content is known; ValueError where it cannot be read or is too long."""
    try:
        _require_modest(path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None


def _require_modest(path: Path) -> None:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise _malformed(path, "text", "a folder, pipe or device")
    if about.st_size > MOST_BYTES:
        raise _malformed(path, f"up to {MOST_BYTES:,} bytes", f"{about.st_size:,}")


def _malformed(path: Path, expected: str, got: str) -> ValueError:
    return ValueError(f"path: expected {expected} in {path}, got {got}; fetch the file again")
