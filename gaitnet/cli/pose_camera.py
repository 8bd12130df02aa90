"""`gaitnet pose --camera`: joints of whoever is before a camera, picture by picture, as long as it is wanted."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.output import note, rounded, waiting

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.overlay import Seen
    from gaitnet.recognizer import GaitRecognizer

SHOWN = 3
"""People that the table on the terminal has room for."""


class Watched(NamedTuple):
    """What came of it: pictures, seconds, most people in one picture, and the files written."""

    pictures: int
    seconds: float
    people: int
    files: list[Path]


def watch(recognizer: "GaitRecognizer", number: int, seconds: float | None, target: Path, overlay: bool) -> Watched:
    """Find joints in a camera's pictures until the time is up, the camera ends, or Ctrl-C; keeps what there is then.

    Writes TARGET.jsonl, one line a picture, and TARGET.mp4 with the joints drawn in.

    Raises:
        ValueError: there is no such camera, or it gives no picture.

    """
    from gaitnet.overlay import draw
    from gaitnet.video.write import VideoWriter

    lines, film = target.with_name(target.name + ".jsonl"), target.with_name(target.name + ".mp4")
    most = done = 0
    last = 0.0
    with contextlib.ExitStack() as stack:
        pictures = stack.enter_context(_opened(number))
        write = stack.enter_context(_line_by_line(lines))
        writer = stack.enter_context(VideoWriter(film)) if overlay else None
        image = pictures()
        if image is None:
            raise ValueError(f"--camera: camera {number} is there, but gives no picture; is it in use elsewhere?")
        follow = _follower(recognizer, image)
        show = stack.enter_context(_live_table(number))
        began = time.monotonic()
        try:
            while image is not None:
                now = time.monotonic() - began if done else 0.0
                if seconds is not None and now >= seconds:
                    break
                people = follow(image, done, now)
                write({"frame": done, "time": rounded(now), "people": [_told(one, seen) for one, seen in people]})
                if writer is not None:
                    writer.write(draw(image, [seen for _, seen in people]), now)
                show(people, done / now if now else 0.0)
                done, last, most = done + 1, now, max(most, len(people))
                image = pictures()
            else:
                note(f"camera {number} gave no further picture")
        except KeyboardInterrupt:  # the usual way to end it
            note("stopped")
    return Watched(done, last, most, [lines, film] if overlay else [lines])


@contextlib.contextmanager
def _opened(number: int) -> "Iterator[Callable[[], np.ndarray | None]]":
    """A function that gives the camera's next picture, RGB, or None where there is none any more."""
    import cv2

    said: Any = cv2.utils.logging
    level = said.getLogLevel()
    said.setLogLevel(said.LOG_LEVEL_SILENT)  # what OpenCV says of cameras that are not there helps nobody
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise ValueError(
                f"--camera: there is no camera {number} that can be used here; the first one is 0, and it needs to be "
                "plugged in, free, and open to you"
            )
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the oldest that waits

        def following() -> "np.ndarray | None":
            sound, image = capture.read()
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if sound and image is not None else None

        yield following
    finally:
        capture.release()
        said.setLogLevel(level)


def _follower(
    recognizer: "GaitRecognizer", first: "np.ndarray"
) -> "Callable[[np.ndarray, int, float], list[tuple[int, Seen]]]":
    """Joints of everybody in the next picture, each under a number that stays theirs; ready for such as the `first`."""
    import numpy as np

    from gaitnet.cli.pose import CERTAIN
    from gaitnet.overlay import Label, Seen
    from gaitnet.video.read import Frame
    from gaitnet.video.track import Tracker

    tracker, numbers = Tracker(), dict[int, int]()
    if recognizer.detector is None:
        note("these weights hold no detector: each picture is taken as one person, head to feet")
    with waiting("getting ready"):  # compiled now, so that no time is lost once the clock runs
        recognizer.pose.joints(first)
        if recognizer.detector is not None:
            recognizer.detector(first)

    def follow(image: "np.ndarray", frame: int, now: float) -> "list[tuple[int, Seen]]":
        if recognizer.detector is None:
            keypoints, probability = recognizer.pose.joints(image)
            whole = np.array([0, 0, image.shape[1] - 1, image.shape[0] - 1], np.float32)
            return [(1, Seen(whole, keypoints[0], probability[0], Label("person 1")))]
        found, scores = (np.asarray(column, float) for column in recognizer.detector(image))
        sure = scores >= CERTAIN
        tracker.update(Frame(frame, now, image), found.reshape(-1, 4)[sure], scores[sure])
        here = [track for track in tracker.live if track.indices and track.indices[-1] == frame]
        if not here:
            return []
        boxes = np.array([track.boxes[-1] for track in here], np.float32)
        keypoints, probability = recognizer.pose.joints(image, boxes)
        people = []
        for track, box, joints, sure_of in zip(here, boxes, keypoints, probability, strict=True):
            track.forget(len(track.indices) - 1)
            number = numbers.setdefault(track.track_id, len(numbers) + 1)
            people.append((number, Seen(box, joints, sure_of, Label(f"person {number}"))))
        return sorted(people, key=lambda one: one[0])

    return follow


def _told(number: int, seen: "Seen") -> dict[str, Any]:
    """One person of one picture, for a line of JSON: joints as x, y, probability in the order of the skeleton."""
    return {
        "person": number,
        "box": [rounded(value, 2) for value in seen.box],
        "joints": [
            [rounded(x, 2), rounded(y, 2), rounded(sure)]
            for (x, y), sure in zip(seen.keypoints, seen.probability, strict=True)
        ],
    }


@contextlib.contextmanager
def _line_by_line(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes a line; the file has its name once all are written, and is not there if that fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield lambda line: print(json.dumps(line, allow_nan=False), file=file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _live_table(number: int) -> "Iterator[Callable[[list[tuple[int, Seen]], float], None]]":
    """A function that shows how sure each joint of each person is, on a terminal; nothing where there is none."""
    import sys

    if not sys.stderr.isatty():
        yield lambda people, rate: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=8) as live:
        yield lambda people, rate: live.update(live_table(number, people, rate))


def live_table(number: int, people: "list[tuple[int, Seen]]", rate: float) -> Any:
    """What the terminal shows while a camera is watched: a line a joint, two columns a person."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from humanpose.skeleton import JOINTS

    shown = people[:SHOWN]
    beyond = f", {len(people) - SHOWN} more people" if len(people) > SHOWN else ""
    drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    drawn.title = f"camera {number}, {rate:.0f} pictures a second{beyond}; Ctrl-C ends"
    drawn.add_column("joint")
    for one, _ in shown:
        drawn.add_column(f"{one}: x, y", justify="right")
        drawn.add_column("sure", justify="right")
    for joint, name in enumerate(JOINTS):
        cells = [name]
        for _, seen in shown:
            x, y = seen.keypoints[joint]
            cells += [f"{x:.0f}, {y:.0f}", f"{seen.probability[joint]:.2f}"]
        drawn.add_row(*cells)
    return drawn
