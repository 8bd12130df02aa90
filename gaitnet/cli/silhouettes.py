"""`gaitnet silhouettes`: everybody's outline in a video, aligned as gait networks read it, in OpenGait's layout."""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import NOBODY, AsJson, Video, check_videos
from gaitnet.cli.output import bar, emit, note, rounded, say, table

if TYPE_CHECKING:
    from gaitnet.video.silhouettes import Silhouettes
    from gaitnet.video.walk import PersonTrack


_FRAME = re.compile(r"(?:[0-9]{6}|[1-9][0-9]{6,})\.png")


def silhouettes(
    file: Video,
    to: Annotated[Path, typer.Option("--to", help="Folder for the silhouettes; made if missing.")],
    size: Annotated[int, typer.Option(help="Rows and columns of each: 64, or 128 for some networks.")] = 64,
    as_json: AsJson = False,
) -> None:
    """Cut out the silhouette of everybody who walks before a camera at rest, and average it over the walk.

    FOLDER/personN/VIDEO/HEADING/FRAME.png: white on black, all of one height about the middle, as OpenGait has them.
    gei.png beside them: their mean, the gait energy image. silhouettes.npz: frames and silhouettes as arrays.
    No network is used: whatever differs from the still scene about a person is the person, a bag and now and then a
    shadow included.

    [bold]Example[/]
    gaitnet silhouettes door.mp4 --to outlines
    """
    if to.exists() and not to.is_dir():
        raise ValueError(f"--to: expected a folder, but {to} is a file")
    if size < 2 or size % 2:
        raise ValueError(f"--size: expected an even number of pixels, got {size}; networks read 64 or 128")
    check_videos([file])
    from gaitnet.video.silhouettes import silhouettes_of

    tracks = followed(file)
    found = silhouettes_of(file, tracks, size)
    records = []
    for number, (track_id, segments) in enumerate(tracks_by_person(tracks).items(), 1):
        first, last = segments[0], segments[-1]
        own = found.get(track_id)
        outlined = 0 if own is None else int(own.frame_mask.sum())
        reason = first.reason or (None if outlined else "no outline found")
        folder = (
            to / f"person{number}" / (file if file.is_dir() else file.with_suffix("")).resolve().name / first.heading
        )
        if own is not None and outlined:
            write(own, folder)
        records.append({
            "person": number, "from": rounded(first.times[0], 3), "to": rounded(last.times[-1], 3),
            "heading": first.heading, "frames": sum(len(one.frames) for one in segments), "silhouettes": outlined,
            "reason": reason, "folder": str(folder) if reason is None else None,
        })  # fmt: skip
    if as_json:
        emit({"video": str(file), "size": size, "people": records})
        return
    if not records:
        note(f"{file}: {NOBODY}")
        return
    rows = [
        (one["person"], f"{one['from']:.1f} to {one['to']:.1f}", one["heading"],
         f"{one['silhouettes']} of {one['frames']}", one["folder"] or f"none: {one['reason']}")
        for one in records
    ]  # fmt: skip
    table(("person", "seen (s)", "walks", "silhouettes", "where"), rows, right=(0,), title=str(file))
    if any(one["reason"] is None for one in records):
        say(f"wrote FRAME.png, gei.png and silhouettes.npz into each folder in {to}")


def followed(file: Path) -> "list[PersonTrack]":
    """Everybody who is followed through a video, as `people` tells it; crops are let go of as they come."""
    from dataclasses import replace

    from gaitnet.video.detect import PersonDetector
    from gaitnet.video.people import people
    from gaitnet.video.read import VideoReader

    detector = PersonDetector()
    detector.prime(file)
    with VideoReader(file) as reader, bar(f"looking at {file.name}") as progress:

        def counted() -> Any:
            for frame in reader:
                yield frame
                progress(frame.index + 1, reader.info.frames)

        return [
            replace(track, crops=track.crops[:0], affines=track.affines[:0]) for track in people(counted(), detector)
        ]


def tracks_by_person(tracks: "list[PersonTrack]") -> "dict[int, list[PersonTrack]]":
    """Each person's segments in order; who appeared first comes first."""
    by_person: dict[int, list[PersonTrack]] = {}
    for track in sorted(tracks, key=lambda one: (one.track_id, one.segment)):
        by_person.setdefault(track.track_id, []).append(track)
    return dict(sorted(by_person.items(), key=lambda one: one[1][0].times[0]))


def write(own: "Silhouettes", folder: Path) -> None:
    """One person's pictures, their mean and the arrays, all of them or none.

    Pictures named as frames that an earlier run wrote there, and this one does not, go then: whoever reads the folder
    would take them for frames of this walk. Whatever else lies there stays.
    """
    import numpy as np

    from gaitnet.evaluation.files import write_together
    from gaitnet.evaluation.report import png_bytes
    from gaitnet.silhouettes import gait_energy_image

    folder.mkdir(parents=True, exist_ok=True)
    energy = gait_energy_image(own.aligned, own.frame_mask)
    kept = np.flatnonzero(own.frame_mask)
    packed = io.BytesIO()
    np.savez_compressed(packed, silhouettes=own.aligned[kept], frames=own.frames[kept], gait_energy_image=energy)
    written = write_together(
        {folder / f"{own.frames[place]:06d}.png": png_bytes(own.aligned[place]) for place in kept}
        | {folder / "gei.png": png_bytes(np.round(255 * energy).astype(np.uint8))}  # OpenGait passes over this name
        | {folder / "silhouettes.npz": packed.getvalue()}
    )
    for old in set(folder.iterdir()) - set(written):
        if _FRAME.fullmatch(old.name) and old.is_file():
            old.unlink()
