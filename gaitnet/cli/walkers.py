"""`gaitnet walkers`: synthetic people who walk, as files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gaitnet.cli.describe import AsJson
from gaitnet.cli.output import bar, emit, say

PEOPLE, FRAMES = 5, 50
"""How many people, and how long each walk, where nothing else is asked for."""

walkers_commands = typer.Typer(no_args_is_help=True, help="Draw synthetic people who walk: no data set is needed.")


class Layout(StrEnum):
    """How the files lie."""

    VIDEO = "video"
    CASIA_A = "casia-a"
    CASIA_B = "casia-b"
    CASIA_B_VIDEO = "casia-b-video"
    TUM_GAID = "tum-gaid"
    OPENGAIT = "opengait"


@walkers_commands.callback()
def walkers() -> None:
    """Draw synthetic people who walk: no data set is needed."""


@walkers_commands.command("make")
def make(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where they go; made if missing.")],
    layout: Annotated[Layout, typer.Option("--format", help="mp4 + JSON, or the layout of a data set.")] = Layout.VIDEO,
    motion: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Draw this recorded walk: .bvh, .amc with its .asf, Kinect .txt; repeat it. Identity: who"
            " performed it.",
        ),
    ] = None,
    common_body: Annotated[
        bool, typer.Option("--common-body", help="With --motion: everybody on one body, so that only motion differs.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="How many people.", show_default=str(PEOPLE))
    ] = None,
    first: Annotated[
        int, typer.Option("--first", min=1, max=999, help="Number of the first; from 75 on of CASIA-B's test.")
    ] = 1,
    second_session: Annotated[
        bool, typer.Option("--second-session", help="tum-gaid: also everybody's walks of another day.")
    ] = False,
    view: Annotated[
        list[float] | None,
        typer.Option(min=0, max=180, help="Degrees: 0 towards the camera, 90 from the side; repeatable (else 90)."),
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="NM normal, BP backpack, HB hand bag, CL coat, SH shoes; repeat it.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Frames of each walk, 25 a second; with --motion at most.",
            show_default=str(FRAMES),
        ),
    ] = None,
    width: Annotated[int, typer.Option(min=32, max=3840, help="Pixels.")] = 640,
    height: Annotated[int, typer.Option(min=32, max=2160, help="Pixels.")] = 480,
    shutter: Annotated[
        float,
        typer.Option(min=0, max=1, help="Motion blur: how long of each frame light is taken in; five times slower."),
    ] = 0.0,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder of photographs that stand behind the walkers; else drawn walls.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=99_999, help="The same seed draws the same people and walks.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic walkers into a folder; what is there already is kept, so an interrupted run goes on.

    video: DIR/PERSON/CONDITION-SESSION/VIEW.mp4 and .json (identity, joints, boxes).
    casia-b: silhouettes. casia-b-video: the films of the same walks. casia-a, tum-gaid: pictures, and its lists of
    people. opengait: aligned silhouettes, pickled. A README in each says that these people are synthetic.
    --motion: DIR/PERFORMER/CLIP/VIEW.mp4 and .json, of the motion that was recorded.

    [bold]Examples[/]
    gaitnet walkers make walkers/
    gaitnet walkers make casia/ --format casia-b --count 10 --first 75 --view 0 --view 90
    gaitnet walkers make coats/ --condition NM --condition CL --seed 7 --json
    gaitnet walkers make street/ --backgrounds photos/ --view 54 --view 90
    gaitnet walkers make real/ --motion 07_01.amc --motion 35_02.bvh --view 90
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"DIR: expected a folder, but {folder} is a file")
    if motion:
        drawn = {"--count": count, "--condition": condition, "--format": None if layout is Layout.VIDEO else layout,
                 "--first": first > 1, "--second-session": second_session}  # fmt: skip
        senseless = [name for name, value in drawn.items() if value]
        if senseless:
            raise ValueError(f"{', '.join(senseless)}: only for generated walkers, not with --motion; leave it out")
        _make_recorded(
            folder, motion, tuple(view or (90.0,)), common_body, seed, frames, (height, width), shutter, backgrounds,
            as_json,
        )  # fmt: skip
        return
    if common_body:
        raise ValueError("--common-body: only for recorded walks; add --motion FILE")
    count, frames = count or PEOPLE, frames or FRAMES
    from gaitnet.walkers.layouts import LAYOUTS, make_walkers
    from gaitnet.walkers.walk import CONDITIONS

    conditions, views, how = tuple(condition or CONDITIONS), tuple(view or (90.0,)), LAYOUTS[layout.value]
    planned = [*how.walks, *(how.again if second_session else ())]
    walks = sum(name in conditions for _, name, _ in planned)
    total = count * walks * (1 if how.one_view else len(views))
    done: list[Path] = []
    with bar(f"drawing walkers in {folder}", "walks") as progress:

        def written(path: Path) -> None:
            done.append(path)
            progress(len(done), total)

        progress(0, total)
        make_walkers(
            folder,
            layout.value,
            count,
            views,
            conditions,
            seed,
            frames,
            size=(height, width),
            shutter=shutter,
            backgrounds=backgrounds,
            on_walk=written,
            first=first,
            second_session=second_session,
        )
    if not done:
        raise ValueError(f"--condition: {layout.value} has no walks of {', '.join(conditions)}; see --help")
    if as_json:
        about = {"folder": str(folder), "format": layout.value, "synthetic": True, "seed": seed, "people": count}
        emit(about | {"walks": [path.relative_to(folder).as_posix() for path in done]})
    else:
        say(f"{len(done)} walks of {count} synthetic people in {folder}")


def _make_recorded(
    folder: Path,
    clips: list[Path],
    views: tuple[float, ...],
    common_body: bool,
    seed: int,
    frames: int | None,
    size: tuple[int, int],
    shutter: float,
    backgrounds: Path | None,
    as_json: bool,
) -> None:
    from gaitnet.walkers.recorded import names_of
    from gaitnet.walkers.recorded_files import make_recorded

    done: list[Path] = []
    with bar(f"drawing recorded walks in {folder}", "walks") as progress:

        def written(path: Path) -> None:
            done.append(path)
            progress(len(done), len(clips) * len(views))

        progress(0, len(clips) * len(views))
        make_recorded(folder, clips, views, common_body, seed, frames, size, shutter, backgrounds, written)
    people = len({names_of(clip)[0] for clip in clips})
    if as_json:
        about = {"folder": str(folder), "format": "video", "synthetic": True, "motion": "recorded", "seed": seed}
        about |= {"body": "common" if common_body else "own", "people": people}
        emit(about | {"walks": [path.relative_to(folder).as_posix() for path in done]})
    else:
        say(f"{len(done)} recorded walks of {people} performers in {folder}")
