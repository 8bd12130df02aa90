"""What a walk of any data set shows: one loader for each kind of walk, whatever the files are.

Reading a data set looks at names only; loading opens what they name. Frames that cannot be used are left out and told.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gaitnet.datasets import cmu, kinect, opengait, prepared, ucalgary, usf
from gaitnet.datasets.dropped import Dropped, hand_over
from gaitnet.datasets.frame_folder import frame_files, read_pictures, read_silhouettes
from gaitnet.datasets.keypoints import Keypoints
from gaitnet.datasets.record import Kind, Sequence


def load_silhouettes(walk: Sequence, dropped: list[Dropped] | None = None) -> UInt8[np.ndarray, "time height width"]:
    """The silhouettes of a walk: 255 = person, 0 = background.

    Pictures are made black and white at the half; what others have scaled to one size (OpenGait's pickles, prepared
    walks) keeps its grey borders.

    Args:
        walk: of kind "silhouettes".
        dropped: is told the frames that are left out; where None, a warning tells them.

    Raises:
        ValueError: another kind of walk, or nothing of it can be read.

    """
    _require(walk, "silhouettes")
    ending, out = walk.path.suffix.lower(), list[Dropped]()
    if ending == ".mat":
        frames = usf.load_usf(walk.path)
    elif ending == ".pkl":
        frames = opengait.load_silhouettes(walk.path)
    elif ending == ".npz":
        frames = prepared.load_silhouettes(walk.path)
    else:
        masks = read_silhouettes(_files(walk), out)
        hand_over(out, dropped, walk.name)
        return masks
    return frames[walk.first_frame : None if walk.last_frame is None else walk.last_frame + 1]


def load_keypoints(walk: Sequence) -> Keypoints:
    """The joints of a walk, as its data set names them; `keypoints.as_body` makes this project's 16 of them.

    Raises:
        ValueError: another kind of walk, or its file cannot be read.

    """
    _require(walk, "keypoints")
    readers = {
        ".pkl": opengait.load_keypoints, ".npz": prepared.load_keypoints, ".txt": kinect.load_kinect,
        ".csv": ucalgary.load_ucalgary, ".bvh": cmu.load_cmu, ".amc": cmu.load_cmu,
    }  # fmt: skip
    ending = walk.path.suffix.lower()
    if ending not in readers:
        raise ValueError(f"walk: expected joints in a file that ends in {', '.join(readers)}, got {walk.path}")
    found = readers[ending](walk.path)
    part = slice(walk.first_frame, None if walk.last_frame is None else walk.last_frame + 1)
    return found._replace(
        keypoints=found.keypoints[part], visible=found.visible[part], probability=found.probability[part]
    )


def load_frames(
    walk: Sequence, dropped: list[Dropped] | None = None, careful: bool = False
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The pictures of a walk one by one, uint8 RGB; of a film those of its frames that are meant.

    Args:
        walk: of kind "frames" or "video".
        dropped: is told the pictures of a folder that are left out; where None, a warning tells them at the end.
        careful: look for wrong bytes in the middle of JPEGs as well, which takes twice as long.

    Raises:
        ValueError: another kind of walk, or nothing of it can be read; a film's warnings are its reader's.

    """
    if walk.kind == "video":
        from gaitnet.video.read import VideoReader

        with VideoReader(walk.path) as reader:
            for frame in reader:
                if walk.last_frame is not None and frame.index > walk.last_frame:
                    break
                if frame.index >= walk.first_frame:
                    yield frame.image
        return
    _require(walk, "frames")
    out: list[Dropped] = []
    files = _files(walk)
    none = True
    for picture in read_pictures(files, out, careful):
        none = False
        yield picture
    hand_over(out, dropped, walk.name)
    if none:
        raise ValueError(f"{walk.path}: not one of {len(files)} frames can be read")


def source_files(walk: Sequence) -> list[Path]:
    """The files that a walk is read from."""
    return frame_files(walk.path) if walk.path.is_dir() else [walk.path]


def source_of(walk: Sequence, settings: str = "") -> str:
    """A digest of what a walk is made of: its files by names, lengths and times, which of their frames, and settings.

    Raises:
        ValueError: a file is not there or cannot be looked at.

    """
    about = f"{walk.kind} {walk.first_frame} {walk.last_frame} {settings}"
    digest = hashlib.blake2b(about.encode(), digest_size=16)
    for path in source_files(walk):
        try:
            found = path.stat()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        digest.update(repr((path.name, found.st_size, found.st_mtime_ns)).encode())
    return digest.hexdigest()


def _files(walk: Sequence) -> list[Path]:
    """The frames of a walk; whoever read the data set was told which files are none."""
    if not walk.path.is_dir():
        raise ValueError(f"{walk.path}: expected a folder of pictures, which is not there; read the data set again")
    return frame_files(walk.path)[walk.first_frame : None if walk.last_frame is None else walk.last_frame + 1]


def _require(walk: Sequence, kind: Kind) -> None:
    if walk.kind != kind:
        raise ValueError(f"walk: expected one kept as {kind}, got {walk.name} as {walk.kind} in {walk.path}")
