"""`gaitnet pose --camera`: joints of whoever is before a camera, picture by picture, as long as it is wanted."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.output import note, rounded
from gaitnet.cli.pose_output import NO_WALK, Picture, coco
from gaitnet.cli.pose_output import write as write_results

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
    most_people: int
    files: list[Path]


def watch(
    recognizer: "GaitRecognizer", number: int, seconds: float | None, target: Path, overlay: bool, official: bool
) -> Watched:
    """Find joints in a camera's pictures until the time is up, the camera ends, or Ctrl-C; keeps what there is then.

    Writes TARGET.jsonl, one line a picture, which can be read as soon as the picture was looked at and which stays
    whatever happens then; and TARGET.mp4 with the joints drawn in. When it ends, what is written of videos too:
    TARGET.json in COCO's layout (its own category too if `official`), and TARGET.csv. What was there too briefly to be
    a person (`Tracker.least_seen`) is in the lines and the film, which cannot know yet, and nowhere else.

    Raises:
        ValueError: there is no such camera, or it gives no picture.
        SystemExit: the process was told to end, and did so as after Ctrl-C: all is written.

    """
    from gaitnet.cli.pose_follow import Follower
    from gaitnet.overlay import draw
    from gaitnet.video.read import Frame
    from gaitnet.video.write import VideoWriter

    lines, film = target.with_name(target.name + ".jsonl"), target.with_name(target.name + ".mp4")
    done, last = 0, 0.0
    stopped: BaseException | None = None
    with contextlib.ExitStack() as stack:
        pictures = stack.enter_context(_opened(number))
        writer = stack.enter_context(VideoWriter(film)) if overlay else None
        image = pictures()
        if image is None:
            raise ValueError(f"--camera: camera {number} is there, but gives no picture; is it in use elsewhere?")
        size = image.shape[1], image.shape[0]
        follow = Follower(recognizer)
        follow.prepare(image)
        told = stack.enter_context(lines.open("w", encoding="utf-8", buffering=1))  # 1: line by line
        show = stack.enter_context(_live_table(number))
        began = time.monotonic()
        try:
            while image is not None:
                now = time.monotonic() - began if done else 0.0
                if seconds is not None and now >= seconds:
                    break
                people = follow(Frame(done, now, image))
                line = {"frame": done, "time": rounded(now), "people": [_told(one, seen) for one, seen in people]}
                told.write(json.dumps(line, allow_nan=False) + "\n")
                if writer is not None:
                    writer.write(draw(image, [seen for _, seen in people]), now)
                show(people, done / now if now else 0.0)
                done, last = done + 1, now
                image = pictures()
            else:
                note(f"camera {number} gave no further picture")
        except (KeyboardInterrupt, SystemExit) as how:  # the usual way to end it, and SIGTERM
            note("stopped")
            stopped = how
    recorded = Recording(lines, f"camera{number}", size, min(follow.tracker.least_seen, done))
    document = coco(recorded, official) | {"people": list(recorded.people.values())}
    written = write_results(target, document, recorded)
    if isinstance(stopped, SystemExit):
        raise stopped
    most = max((len(picture.people) for picture in recorded), default=0)
    return Watched(done, last, most, [*written, lines, *([film] if overlay and done else [])])


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


class Recording:
    """The pictures with somebody in them, of the lines that were written; and what JSON says of each person.

    Whoever is in fewer than `least_seen` pictures is left out: a flicker that never became a person.
    """

    def __init__(self, lines: Path, name: str, size: tuple[int, int], least_seen: int) -> None:
        self.lines, self.name, self.size = lines, name, size
        records: dict[int, dict[str, Any]] = {}
        for told in self._parsed():
            for number in (one["person"] for one in told["people"]):
                at = rounded(told["time"], 3)
                record = records.setdefault(
                    number, {"person": number, "from": at, "to": at, "frames": 0, "windows": 0, "reason": NO_WALK}
                )
                record["to"], record["frames"] = at, record["frames"] + 1
        self.people = {number: records[number] for number in sorted(records) if records[number]["frames"] >= least_seen}
        """By their numbers, as `describe.records` has it of videos."""

    def __iter__(self) -> Iterator[Picture]:
        """The pictures, one at a time, as often as they are asked for."""
        import numpy as np

        from gaitnet.overlay import Seen

        for told in self._parsed():
            people = []
            for one in told["people"]:
                if one["person"] in self.people:
                    joints = np.array(one["joints"], np.float32)
                    people.append((one["person"], Seen(np.array(one["box"], np.float32), joints[:, :2], joints[:, 2])))
            if people:
                yield Picture(self.name, told["frame"], told["time"], *self.size, people)

    def _parsed(self) -> Iterator[dict[str, Any]]:
        with self.lines.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


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
