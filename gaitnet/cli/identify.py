"""`gaitnet identify | verify`: who is in a video, and whether it is who they are said to be."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import NOBODY, AsJson, Video, Videos, Weights, check_videos, load, look, records, span
from gaitnet.cli.enroll import Which, existing
from gaitnet.cli.gallery import GalleryFile, opened, with_people
from gaitnet.cli.output import bar, emit, note, rounded, say, table, writable

if TYPE_CHECKING:
    from gaitnet.identification.gallery import Gallery
    from gaitnet.identification.open_set import OpenSetDecision
    from gaitnet.identification.search import Search
    from gaitnet.recognizer import Person


def identify(
    files: Videos,
    gallery: GalleryFile,
    overlay: Annotated[Path | None, typer.Option(help="Write the video with names and joints drawn in (mp4).")] = None,
    together: Annotated[
        bool,
        typer.Option("--together", help="Everybody in these videos is one person: also one answer from all walks."),
    ] = False,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Say who walks in a video: a name, or "unknown", or why somebody could not be described.

    The score must exceed a threshold that one (synthetic) stranger in a hundred exceeds.
    The margin is the lead over the next best; "sure" is how often a name with such
    a score was right among synthetic walkers, half of them strangers.
    None of them proves who it is: see the README, "Know what gait cannot prove".

    [bold]Examples[/]
    gaitnet identify door.mp4
    gaitnet identify door.mp4 --overlay named.mp4
    gaitnet identify *.mp4 --json > answers.json
    gaitnet identify evidence-1.mp4 evidence-2.mp4 --together
    """
    if overlay is not None:
        _check_overlay(overlay, files)
    with_people(gallery)
    check_videos(files)
    recognizer = load(weights)
    known = opened(gallery, recognizer)
    search = searchable(known, weights)
    documents, walkers = [], []
    for video in files:
        people = look(recognizer, video)
        walkers += [(one.identification_vector, len(one.frames)) for one in people]
        answers = _identified(people, search)
        documents.append({"video": str(video), "people": answers})
        if not as_json:
            _show_answers(video, people, answers)
        if overlay is not None:
            _draw(video, people, answers, overlay)
            if not as_json:
                say(f"wrote {overlay}")
    all_walks = _together([one for one in walkers if one[0] is not None], search) if together else None
    if together and not as_json:
        _show_together(all_walks)
    if as_json:
        threshold = rounded(search.calibration.threshold)
        about = {"gallery": str(gallery), "enrolled": list(known.subject_ids), "model": recognizer.identity}
        more = ({"together": all_walks} if together else {}) | ({"overlay": str(overlay)} if overlay else {})
        emit(about | {"threshold": threshold, "videos": documents} | more)


def verify(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is said to be.")],
    file: Video,
    gallery: GalleryFile,
    person: Which = None,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a video shows one particular enrolled person: yes or no, with the score and the threshold.

    [bold]Examples[/]
    gaitnet verify Anna door.mp4
    gaitnet verify Anna crossing.mp4 --person 2 --json
    """
    if name not in (enrolled := with_people(gallery).subject_ids):
        raise ValueError(f"NAME: {name!r} is not enrolled in {gallery}; enrolled are {', '.join(enrolled)}")
    check_videos([file])
    recognizer = load(weights)
    search = searchable(opened(gallery, recognizer), weights)
    people = look(recognizer, file)
    if person is not None:
        existing(file, people, person)
    answers = []
    for entry, walker in zip(records(people), people, strict=True):
        answer = entry | dict.fromkeys(("verified", "score", "threshold", "margin", "confidence"))
        if walker.identification_vector is not None:
            found = search.verify(walker.identification_vector, name)
            answer |= {"verified": found.accepted}
            answer |= {
                field: rounded(getattr(found, field)) for field in ("score", "threshold", "margin", "confidence")
            }
        answers.append(answer)
    shown = [entry for entry in answers if person in (None, entry["person"])]
    verified = any(entry["verified"] for entry in shown) if any(e["reason"] is None for e in shown) else None
    if as_json:
        emit({"name": name, "video": str(file), "gallery": str(gallery), "verified": verified, "people": shown})
        return
    rows = [
        (e["person"], span(people[e["person"] - 1]), f"not described: {e['reason']}" if e["reason"] else
         "yes" if e["verified"] else "no", _number(e["score"]), _number(e["threshold"]))
        for e in shown
    ]  # fmt: skip
    if rows:
        table(("person", "seen (s)", name, "score", "threshold"), rows, right=(0, 3, 4), title=str(file))
    else:
        note(f"{file}: {NOBODY}")
    say({True: f"yes, {name}", False: f"no, not {name}", None: "nobody could be described"}[verified])


def searchable(known: "Gallery", weights: Path | None) -> "Search":
    """The gallery ready for questions, its threshold set by the strangers that come with the gait weights."""
    from gaitnet.identification.search import Search, load_yardstick
    from humanpose.checkpoint import find

    folder = find("gait") if weights is None else weights / "gait"
    return Search.over(known.vectors, known.template_subject_ids, load_yardstick(folder, known.model_sha256))


def _identified(people: "list[Person]", search: "Search") -> list[dict[str, Any]]:
    import numpy as np

    empty = dict.fromkeys(("name", "candidate", "score", "margin", "similarity", "confidence"))
    answers = [entry | empty for entry in records(people)]
    described = [place for place, person in enumerate(people) if person.identification_vector is not None]
    if described:
        decisions = search.identify(np.stack([people[place].windows.mean(axis=0) for place in described]))
        for place, decision in zip(described, decisions, strict=True):
            answers[place] |= _told(decision)
    return answers


def _told(decision: "OpenSetDecision") -> dict[str, Any]:
    numbers = {field: rounded(getattr(decision, field)) for field in ("score", "margin", "similarity", "confidence")}
    return {"name": decision.subject_id, "candidate": decision.candidate} | numbers


def _together(walks: "list[tuple[Any, int]]", search: "Search") -> dict[str, Any] | None:
    """The answer to all walks (identification vector, frames) as one person's; None where there is none."""
    import numpy as np

    from gaitnet.descriptor import average_over_tracks

    if not walks:
        return None
    vector = average_over_tracks(np.stack([vector for vector, _ in walks]), np.array([frames for _, frames in walks]))
    return {"walks": len(walks)} | _told(search.identify(vector[None])[0])


def _show_together(answer: dict[str, Any] | None) -> None:
    from gaitnet.identification.open_set import in_percent

    if answer is None:
        say("all walks together: nobody could be described")
        return
    sure = "" if answer["name"] is None else f", sure {in_percent(answer['confidence'])}"
    who = _who(answer | {"reason": None})
    say(f"all walks together ({answer['walks']}): {who}, score {_number(answer['score'])}{sure}")


def _show_answers(video: Path, people: "list[Person]", answers: list[dict[str, Any]]) -> None:
    from gaitnet.identification.open_set import in_percent

    if not people:
        note(f"{video}: {NOBODY}")
        return
    rows = [
        (e["person"], span(walker), _who(e), _number(e["score"]), _number(e["margin"]),
         None if e["name"] is None else in_percent(e["confidence"]))
        for e, walker in zip(answers, people, strict=True)
    ]  # fmt: skip
    table(("person", "seen (s)", "who", "score", "margin", "sure"), rows, right=(0, 3, 4, 5), title=str(video))


def _who(answer: dict[str, Any]) -> str:
    if answer["reason"]:
        return f"not described: {answer['reason']}"
    return answer["name"] or f"unknown (most like {answer['candidate']})"


def _check_overlay(overlay: Path, videos: list[Path]) -> None:
    if len(videos) > 1:
        raise ValueError("--overlay: expected a single video with it; run the others by commands of their own")
    if overlay.suffix.lower() != ".mp4":
        raise ValueError(f"--overlay: expected a name ending in .mp4, got {overlay.name}")
    if overlay.resolve() == videos[0].resolve():
        raise ValueError(f"--overlay: {overlay} is the video itself; choose another name")
    writable(overlay)


def _draw(video: Path, people: "list[Person]", answers: list[dict[str, Any]], overlay: Path) -> None:
    from gaitnet.overlay import Label, write_overlay

    labels: list[Label | None] = [
        Label(f"not described: {e['reason']}" if e["reason"] else "unknown", None, True)
        if e["name"] is None
        else Label(e["name"], e["confidence"])
        for e in answers
    ]
    with bar(f"drawing {overlay.name}") as progress:
        write_overlay(video, people, labels, overlay, progress)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
