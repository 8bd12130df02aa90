"""`gaitnet enroll`: remember how somebody walks."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Videos, Weights, check_videos, load, look, records, show, span
from gaitnet.cli.gallery import GalleryFile, opened, writable_gallery
from gaitnet.cli.output import emit, rounded, say

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.identification.gallery import Gallery
    from gaitnet.recognizer import Person

Which = Annotated[
    int | None, typer.Option("--person", min=1, help="Which person of the video, as `gaitnet describe` numbers them.")
]
SAME = 1e-4
"""Vectors that differ by no more, relative to their length, come from the same walk in the same video."""


def enroll(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom the videos show.")],
    files: Videos,
    gallery: GalleryFile,
    person: Which = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every walk in the videos is NAME's, to and fro.")] = False,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Remember how a person walks, from videos that show one walker each.

    All videos are described first; if one cannot be read or is unclear, nothing is enrolled.
    Enrol only people who agreed to it.

    [bold]Examples[/]
    gaitnet enroll Anna anna-1.mp4 anna-2.mp4
    gaitnet enroll Anna to-and-fro.mp4 --all
    gaitnet enroll "Ben Li" crossing.mp4 --person 2
    """
    if person is not None and (everyone or len(files) > 1):
        raise ValueError("--person: expected a single video with it, and no --all; enrol the rest by another command")
    if not name.strip() or not name.isprintable():
        raise ValueError(f"NAME: expected printable text that is not blank, got {name!r}")
    if name != name.strip():
        raise ValueError(f"NAME: begins or ends with a blank, which nobody would see in {name!r}; leave it out")
    if name.lower() == "unknown":
        raise ValueError("NAME: nobody can be called unknown: it is the answer for those who are not enrolled")
    if os.path.isfile(name) and not os.path.exists(files[-1]):
        raise ValueError(f"NAME: {name} is a file; the name comes first: gaitnet enroll {files[-1]} {name}")
    check_videos(files)
    writable_gallery(gallery)
    recognizer = load(weights)
    known = opened(gallery, recognizer)
    seen = [(video, look(recognizer, video)) for video in files]
    chosen = [_chosen(video, people, person, everyone) for video, people in seen]
    walks = [
        (video, number, people[number - 1])
        for (video, people), numbers in zip(seen, chosen, strict=True)
        for number in numbers
    ]
    owners = [_owner(known, walker) for _, _, walker in walks]
    for (video, number, _), owner in zip(walks, owners, strict=True):
        if owner not in (None, name):
            raise ValueError(f"{video}: person {number} is already enrolled as {owner!r}, by this very walk")
    fresh: list[tuple[Path, int, Any]] = []
    for walk, owner in zip(walks, owners, strict=True):
        if owner is None and not any(_same(walk[2], other.windows).any() for _, _, other in fresh):
            fresh.append(walk)
    if fresh:
        known.enroll_walks(name, [(walk[2].windows, _provenance(*walk)) for walk in fresh])
    new = [(video, number) for video, number, _ in fresh]
    if not as_json:
        for video, number, walker in walks:
            added = (video, number) in new
            count = len(walker.windows)
            outcome = f"{count} vector{'s' * (count > 1)}" if added else "enrolled before, nothing added"
            say(f"{video}: {name}, person {number}, {span(walker)} s: {outcome}")
    if as_json:
        videos = [
            {
                "video": str(video), "people": records(people),
                "chosen": numbers, "enrolled": [number for number in numbers if (video, number) in new],
            }
            for (video, people), numbers in zip(seen, chosen, strict=True)
        ]  # fmt: skip
        emit({"name": name, "gallery": str(gallery), "model": recognizer.identity, "videos": videos})
        return
    for (video, people), numbers in zip(seen, chosen, strict=True):
        if not numbers:
            show(video, people)
            say(f"{video}: nobody could be described; nothing enrolled")
    if None in owners:
        say(f"enrolled in {gallery}: {', '.join(known.subject_ids)}")


def existing(video: Path, people: "list[Person]", number: int) -> None:
    """Refuse a number that no person of the video has."""
    if number > len(people):
        raise ValueError(f"--person: {video} shows {len(people)} people, so there is no person {number}")


def _chosen(video: Path, people: "list[Person]", number: int | None, everyone: bool) -> list[int]:
    """The numbers of the people to enrol; none where nobody is described, which is no fault of the input."""
    if number is not None:
        existing(video, people, number)
        return [number] if people[number - 1].reason is None else []
    described = [place for place, person in enumerate(people, 1) if person.reason is None]
    walkers = [people[place - 1] for place in described]
    together = any(
        one.times[0] <= other.times[-1] and other.times[0] <= one.times[-1]
        for place, one in enumerate(walkers)
        for other in walkers[:place]
    )
    if len(described) > 1 and (together or not everyone):
        shown = "; ".join(f"{place} at {span(walker)} s" for place, walker in zip(described, walkers, strict=True))
        advice = "choose one with --person" + ("" if together else ", or --all if it is one person who comes back")
        raise ValueError(f"{video}: shows several walkers (person {shown}); {advice}")
    return described


def _owner(known: "Gallery", walker: "Person") -> str | None:
    """Whose template the walker's first window already is, if anybody's."""
    near = _same(walker, known.vectors)
    return next((t.subject_id for t, same in zip(known.templates, near, strict=True) if same), None)


def _same(walker: "Person", vectors: "np.ndarray") -> "np.ndarray":
    """Which vectors (template, size) are the walker's first window."""
    import numpy as np

    window = walker.windows[0]
    return np.linalg.norm(vectors - window, axis=1) <= SAME * np.linalg.norm(window)


def _provenance(video: Path, number: int, walker: "Person") -> dict[str, Any]:
    """What is kept beside the vectors; the video's name, not where it lies."""
    return {
        "video": video.resolve().name, "person": number, "windows": len(walker.windows),
        "from": rounded(walker.times[0], 3), "to": rounded(walker.times[-1], 3),
    }  # fmt: skip
