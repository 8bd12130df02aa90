"""From a video file to who it is: frames per second of each stage and of the whole, and peak memory.

python benchmarks/video.py walk.mp4
python benchmarks/video.py walk.mp4 --minutes 10     # the same film again and again, encoded as one long file
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gaitnet.identification.search import Search, load_yardstick
from gaitnet.recognizer import GaitRecognizer
from gaitnet.video.detect import PersonDetector
from gaitnet.video.people import people
from gaitnet.video.read import read_video
from gaitnet.video.write import VideoWriter
from humanpose.checkpoint import find


def lengthened(video: Path, minutes: float, folder: Path) -> Path:
    """The film repeated until it lasts so many minutes, as one file."""
    target, total = folder / "long.mp4", 0.0
    with VideoWriter(target, 30) as writer:
        while total < 60 * minutes:
            for frame in read_video(video):
                writer.write(frame.image)
                total += 1 / 30
    return target


def clocked(function, *arguments):
    """What it returns, and the seconds it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def stages(recognizer: GaitRecognizer, video: Path) -> list[tuple[str, float, int]]:
    """Name, seconds and frames of each stage, one after the other over a whole (short) film."""
    frames, reading = clocked(lambda: list(read_video(video)))
    detector = PersonDetector(recognizer.detector)
    detector.prime(video)
    tracks, finding = clocked(lambda: [track for track in people(frames, detector) if len(track.crops)])
    joints, posing = clocked(
        lambda: [recognizer.joints_of_track(track.crops, track.affines, track.times) for track in tracks]
    )

    def gait():
        return [
            recognizer.windows_of_track(*found, track.times, track.mirrored)
            for track, found in zip(tracks, joints, strict=True)
        ]

    windows, describing = clocked(gait)
    strangers = load_yardstick(find("gait"), recognizer.identity)
    # of the strangers, two walks each, twenty stand for people who are enrolled
    search = Search.over(strangers.vectors[:40], list(strangers.subject_ids[:40]), strangers)
    vectors = [part.mean(axis=0) for part in windows if len(part)]
    _, answering = clocked(lambda: search.identify(np.stack(vectors)) if vectors else None)
    crops = sum(len(track.crops) for track in tracks)
    return [
        ("read and decode", reading, len(frames)),
        ("find, track, crop", finding, len(frames)),
        ("joints", posing, crops),
        ("pose maps and GaitNN", describing, crops),
        ("who it is, of twenty", answering, len(frames)),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="else a synthetic walker is filmed, 1280x720, 10 seconds")
    parser.add_argument("--minutes", type=float, default=0, help="also describe a film of this length, for its memory")
    parser.add_argument("--quiet", action="store_true", help="only describe the video, and print the peak of memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.quiet:
            describe_only(options.video)
            return
        video = options.video or walker(Path(folder) / "walker.mp4")
        recognizer = GaitRecognizer.load()
        recognizer.describe(video)  # compiles
        print(f"{'stage':<24}{'frames':>8}{'seconds':>9}{'frames/s':>10}")
        for name, seconds, frames in stages(recognizer, video):
            print(f"{name:<24}{frames:>8}{seconds:>9.2f}{frames / max(seconds, 1e-9):>10.1f}")
        found, seconds = clocked(recognizer.describe, video)
        total = sum(1 for _ in read_video(video))
        print(f"{'whole road':<24}{total:>8}{seconds:>9.2f}{total / seconds:>10.1f}   ({len(found)} people)")
        if options.minutes:
            long = lengthened(video, options.minutes, Path(folder))
            # a process of its own: this one has held a whole film
            print(f"{options.minutes:g} minutes: ", end="", flush=True)
            subprocess.run([sys.executable, __file__, str(long), "--quiet"], check=True)


def describe_only(video: Path) -> None:
    """Describes the video and prints how long it took and how much memory was held at most."""
    found, seconds = clocked(GaitRecognizer.load().describe, video)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{seconds:.0f} s, {len(found)} people, peak {peak:.2f} GB")


def walker(path: Path) -> Path:
    """A synthetic walker filmed from the side."""
    import jax

    from gaitnet.walkers.files import write_video
    from gaitnet.walkers.walks import FILES

    write_video(path, jax.random.key(FILES), FILES, 1, 0, 90.0, 250, size=(720, 1280))
    return path


if __name__ == "__main__":
    main()
