"""`gaitnet evaluate casia-a | casia-b | tum-gaid | folder`: pictures, films or silhouettes as released."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.datasets_sources import Name, folder_of
from gaitnet.cli.describe import AsJson, Weights
from gaitnet.cli.evaluate_output import Output, folder_for
from gaitnet.cli.evaluate_tree import Tree, measure

if TYPE_CHECKING:
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence as Walk

Root = Annotated[Path, typer.Option(help="Folder of the data set as it was released.")]
Silhouettes = Annotated[
    bool, typer.Option("--silhouettes", help="Compare the silhouettes even where there are pictures or films.")
]


def casia_a(
    root: Root,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Search for every walk among all the others of its view.")
    ] = False,
    silhouettes: Silhouettes = False,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of CASIA-A: in each of three directions walks 1 to 3 enrol, walk 4 is searched for.

    With --output, what is worked out of each walk is kept there, and a command that was stopped goes on.

    [bold]Example[/]
    gaitnet evaluate casia-a --root GaitDatasetA --output results
    """
    from gaitnet.datasets.casia_a import FOLDERS, read_casia_a
    from gaitnet.evaluation.protocols import CASIA_A, CASIA_A_LEAVE_ONE_OUT

    folder_for(output)
    named = root / Name.CASIA_A.value  # its pictures and its silhouettes lie in folders of their own
    folder = named if named.is_dir() else root
    dropped: list[Dropped] = []
    pictures = (folder / FOLDERS[1]).is_dir() and not silhouettes
    walks = read_casia_a(folder, "frames" if pictures else None, dropped)
    if silhouettes and walks[0].kind != "silhouettes":
        raise ValueError(f"--silhouettes: the pictures in {folder} are no silhouettes; leave it out")
    tree = Tree(
        "casia-a", "CASIA-A", CASIA_A_LEAVE_ONE_OUT if leave_one_out else CASIA_A, walks, dropped,
        f"casia-a --root {root}{' --leave-one-out' if leave_one_out else ''}", "Wang, Tan, Ning, Hu, PAMI 2003",
    )  # fmt: skip
    measure(tree, folder, silhouettes, weights, output, as_json)


def casia_b(
    root: Root,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="All other views in one gallery: easier, not the published grid.")
    ] = False,
    train: Annotated[
        str | None, typer.Option(metavar="PERSONS", help="To learn from, as 001-074 or 1,5,7-9.", show_default="1-74")
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="PERSONS", help="To enrol and search for.", show_default="75-124")
    ] = None,
    silhouettes: Silhouettes = False,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of CASIA-B: nm-01 to 04 enrol; normal, with a bag, in a coat, from every other view.

    Films, silhouettes, or an OpenGait tree of them. Silhouettes are compared as gait energy images, in
    directions learned from --train. Of --train and --test, one alone leaves everybody else to the other.
    With --output, what is worked out of each walk is kept there, and a command that was stopped goes on.

    [bold]Examples[/]
    gaitnet evaluate casia-b --root GaitDatasetB --output results
    gaitnet evaluate casia-b --root GaitDatasetB-silh --train 001-074 --test 075-124
    """
    from gaitnet.evaluation.protocols import CASIA_B, CASIA_B_CROSS_VIEW, CASIA_B_POOLED

    folder_for(output)
    folder = folder_of(Name.CASIA_B, root)
    dropped: list[Dropped] = []
    walks = parted(casia_b_walks(folder, silhouettes, dropped), train, test)
    options = f"{' --pooled' if pooled else ''}{_option('train', train)}{_option('test', test)}"
    tree = Tree(
        "casia-b", "CASIA-B", CASIA_B_POOLED if pooled else CASIA_B, walks, dropped,
        f"casia-b --root {root}{options}", "Yu, Tan, Tan, ICPR 2006", ranked=CASIA_B_CROSS_VIEW,
    )  # fmt: skip
    measure(tree, folder, silhouettes, weights, output, as_json)


def tum_gaid(
    root: Root,
    second_session: Annotated[
        bool, typer.Option("--second-session", help="Experiment 2: enrolled in January, searched for in April.")
    ] = False,
    lists: Annotated[
        Path | None, typer.Option(help="Folder of the lists of people; `labels` beside `image` else.")
    ] = None,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of TUM-GAID: normal, with a backpack, in coating shoes; or three months later.

    With --output, what is worked out of each walk is kept there, and a command that was stopped goes on.

    [bold]Example[/]
    gaitnet evaluate tum-gaid --root TUMGAID --output results
    """
    from gaitnet.datasets.tum_gaid import LISTS, RATE, read_tum_gaid
    from gaitnet.evaluation.protocols import TUM_GAID_1, TUM_GAID_2

    folder_for(output)
    folder = folder_of(Name.TUM_GAID, root)
    dropped: list[Dropped] = []
    walks = read_tum_gaid(folder, lists, dropped)
    if not any(walk.part == "test" for walk in walks):
        raise ValueError(
            f"--root: nobody in {folder} belongs to the test; put {', '.join(LISTS.values())} into a folder `labels` "
            "beside `image`, or name their folder with --lists"
        )
    options = f"{' --second-session' if second_session else ''}{_option('lists', lists)}"
    tree = Tree(
        f"tum-gaid-{2 if second_session else 1}", "TUM-GAID", TUM_GAID_2 if second_session else TUM_GAID_1, walks,
        dropped, f"tum-gaid --root {root}{options}", "Hofmann et al., JVCIR 2014", RATE,
    )  # fmt: skip
    measure(tree, folder, False, weights, output, as_json)


def folder(
    root: Annotated[Path, typer.Option(help="A folder for each person, a film or folder of pictures for each walk.")],
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of your own films: every film is searched for among all the others.

    With --output, what is worked out of each walk is kept there, and a command that was stopped goes on.

    [bold]Example[/]
    gaitnet evaluate folder --root films --output results
    """
    from gaitnet.datasets.folder import read_folder
    from gaitnet.evaluation.protocols import Protocol, Row, Select

    folder_for(output)
    dropped: list[Dropped] = []
    walks = read_folder(root, dropped)
    protocol = Protocol(
        "a folder of films", "each film is left out of the gallery in turn",
        (Row("every film", Select(), Select(), leave_own_walk_out=True),),
    )  # fmt: skip
    tree = Tree(
        "folder", f"Films in {root.resolve().name}", protocol, walks, dropped, f"folder --root {root}", "your own"
    )
    measure(tree, root, False, weights, output, as_json)


def casia_b_walks(root: Path, silhouettes: bool, dropped: "list[Dropped]") -> "list[Walk]":
    """CASIA-B's films where there are any, else silhouettes as pictures, else as OpenGait's pickles."""
    from gaitnet.datasets.casia_b import FILMS, read_casia_b
    from gaitnet.datasets.opengait import read_opengait

    places = (root, *(root / name for name in FILMS))
    films = any(path.suffix.lower() in (".avi", ".mp4") for one in places if one.is_dir() for path in one.iterdir())
    if films and not silhouettes:
        return read_casia_b(root, "video", dropped)
    if next(root.glob("[0-9][0-9][0-9]/*/*/*.pkl"), None) is not None:
        return read_opengait(root, "silhouettes", casia_b_parts=True, dropped=dropped)
    return read_casia_b(root, "silhouettes", dropped)


def parted(walks: "Sequence[Walk]", train: str | None, test: str | None) -> "list[Walk]":
    """The walks with the parts that the options name; those of nobody named have none.

    Raises:
        ValueError: an option that names nobody there, or somebody on both sides.

    """
    from gaitnet.evaluation.selection import require_disjoint_subjects

    if train is None and test is None:
        return list(walks)
    everybody = {walk.subject_id for walk in walks}
    named = {option: None if text is None else _persons(text, everybody, option)
             for option, text in (("--train", train), ("--test", test))}  # fmt: skip
    learned, tested = named["--train"], named["--test"]
    learned = everybody - (tested or set()) if learned is None else learned
    tested = everybody - learned if tested is None else tested
    require_disjoint_subjects(learned, tested)
    parts = {**dict.fromkeys(learned, "train"), **dict.fromkeys(tested, "test")}
    return [replace(walk, part=parts.get(walk.subject_id, "")) for walk in walks]


def _persons(text: str, everybody: set[str], option: str) -> set[str]:
    wanted: set[int] = set()
    for piece in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", piece)
        if match is None:
            raise ValueError(f"{option}: expected numbers of people such as 1-74 or 1,5,7-9, got {piece[:40]!r}")
        wanted |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    found = {name for name in everybody if int(name) in wanted}
    if not found:
        known = sorted(everybody)
        raise ValueError(f"{option}: nobody there is called {text}; there are {known[0]} to {known[-1]}")
    return found


def _option(name: str, value: Any) -> str:
    return "" if value is None else f" --{name} {value}"
