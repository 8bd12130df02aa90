"""A data set's tree, measured by its protocol: the whole road for pictures and films, energy images for silhouettes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitnet.cli.describe import load, yardstick
from gaitnet.cli.evaluate_output import Outcome, deliver

if TYPE_CHECKING:
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence as Walk

LEAD = (
    "Every walk goes the whole road: people are found in the pictures, followed, their joints read, their walk "
    "described. A walk in which nobody is described is a miss. The shipped networks never learned who anybody of this "
    "data set is. Pose maps are drawn in units of the walker's own height, so every gait row is height-normalised "
    "already."
)
KEPT = "walks"
"""In the folder of --output: what is kept of each walk."""


@dataclass
class Tree:
    """What a command found in a folder, and what is to be done with it.

    `rate`: pictures a second of walks that are folders of pictures. `ranked`: a protocol of ranked walks to be run
    beside. `command`: what followed `gaitnet evaluate`.
    """

    name: str
    title: str
    protocol: Any
    walks: "list[Walk]"
    dropped: "list[Dropped]"
    command: str
    source: str
    rate: float = 25.0
    ranked: Any = None
    notes: list[str] = field(default_factory=list)


def measure(
    tree: Tree, folder: Path, silhouettes: bool, weights: Path | None, output: Path | None, as_json: bool
) -> None:
    """Describe what the protocol asks for, by whatever the walks are, and say what came out."""
    from gaitnet.walkers.files import SETTINGS

    protocol = tree.protocol
    there = _scored(_with_rows_there(tree))
    kind = there.walks[0].kind
    if any((place / SETTINGS).exists() for place in (folder, folder.parent)):
        there.notes.append("These are walkers (synthetic): the figures say nothing about real people.")
    keep = None if output is None else output / KEPT
    outcome = _by_silhouettes(there, keep) if kind == "silhouettes" else _by_road(there, keep, weights)
    if kind == "silhouettes" and not silhouettes:
        outcome.notes.insert(0, "There are only silhouettes: gait energy images are compared, no network is used.")
    flag = " --silhouettes" if silhouettes else ""
    outcome.footer = f"gaitnet evaluate {tree.command}{flag}{outcome.footer}. Data: {tree.source}."
    outcome.title = f"{tree.title}: {protocol.name}" if tree.title not in protocol.name else protocol.name
    deliver(outcome, output, as_json)


def _with_rows_there(tree: Tree) -> Tree:
    """The same without rows of the protocol that the tree has no walks for, which a note tells."""
    from gaitnet.evaluation.selection import Table

    table, protocol = Table(tree.walks), tree.protocol
    test = protocol.test.mask(table)
    rows = [row for row in protocol.rows if all((test & one.mask(table)).any() for one in (row.gallery, row.probe))]
    if not rows:
        people = sorted({walk.subject_id for walk in tree.walks})
        lost = "; name people to be tested with --test" if tree.name == "casia-b" and not test.any() else ""
        raise ValueError(
            f"--root: {protocol.name} finds nobody to enrol and search for ({protocol.test}; {protocol.rows[0]}) among "
            f"{len(tree.walks):,} walks of {people[0]} to {people[-1]}{lost}"
        )
    missing = [row.name for row in protocol.rows if row not in rows]
    notes = [f"There are no walks for {', '.join(missing)}: left out."] if missing else []
    return replace(tree, protocol=replace(protocol, rows=tuple(rows)), notes=[*tree.notes, *notes])


def _scored(tree: Tree) -> Tree:
    """The same, once every search of the protocol was made without what it compares: describing takes hours.

    Without the ranking where there are not the walks for it, which a note tells.

    Raises:
        ValueError: the walks cannot be scored, or only one person is enrolled, who is always found.

    """
    import numpy as np

    from gaitnet.evaluation.galleries import Searcher
    from gaitnet.evaluation.ranking import evaluate_ranked
    from gaitnet.evaluation.runner import row_masks, tested_walks
    from gaitnet.evaluation.selection import Table

    walks = _used(tree)
    table, nothing = Table(walks), np.zeros((len(walks), 1))
    searcher = Searcher(table, nothing, lambda _, labels: lambda probes: np.zeros((len(probes), len(set(labels)))))
    begin = f"--root: {tree.protocol.name} cannot be scored with these {len(walks):,} walks"
    for row in tree.protocol.rows:
        try:
            tested = tested_walks(tree.protocol, table, ())
            found = searcher.trials(tree.protocol, row, *row_masks(tree.protocol, row, table, tested))
        except ValueError as error:
            raise ValueError(f"{begin}: {str(error).removeprefix('samples: ')}") from error
        if len(found.subjects) < 2:
            raise ValueError(
                f"{begin}: expected two people or more to enrol in row {row.name!r}, got {', '.join(found.subjects)} "
                "alone, who would always be found"
            )
        if not found.mated.any():
            raise ValueError(
                f"{begin}: expected two walks or more of somebody in row {row.name!r}, one to enrol and one to search "
                "for, got nobody's"
            )
    if tree.protocol.views != "pairs" or tree.ranked is None:
        return tree
    try:
        evaluate_ranked(
            tree.ranked.with_rows_of(walks), walks, nothing, lambda one, other: np.zeros((len(one), len(other))),
            resamples=1,
        )  # fmt: skip
    except ValueError:
        note = f"{tree.ranked.name} is left out: there are not the walks for it."
        return replace(tree, ranked=None, notes=[*tree.notes, note])
    return tree


def _used(tree: Tree) -> "list[Walk]":
    """The walks that are enrolled or searched for: nothing else need be described."""
    import numpy as np

    from gaitnet.evaluation.selection import Table

    table = Table(tree.walks)
    protocols = [tree.protocol, *([tree.ranked] if tree.ranked else [])]
    chosen = [one.mask(table) for protocol in protocols for row in protocol.rows for one in (row.gallery, row.probe)]
    mask = tree.protocol.test.mask(table) & np.any(chosen, axis=0)
    return [walk for walk, used in zip(tree.walks, mask, strict=True) if used]


def _by_road(tree: Tree, keep: Path | None, weights: Path | None) -> Outcome:
    from gaitnet.cli.evaluate_road import GAIT, MIXED, detector_of, follow_all, means, remarks, results_of

    walks = _used(tree)
    recognizer = load(weights)
    seen = follow_all(recognizer, walks, tree.rate, keep, detector_of(weights))
    found = remarks(walks, [(one.reason, one.dropped) for one in seen], tree.dropped)
    _require_some(seen, found)
    results = results_of(tree.protocol, walks, seen, yardstick(weights, recognizer.identity))
    vectors = {"gait": means(seen, GAIT), "shuffled frames": means(seen, MIXED)}
    tables = _tables(tree, walks, results, ("gait, SVM", "gait, nearest"), vectors)
    footer = f"{'' if weights is None else f' --weights {weights}'}; weights {recognizer.identity}"
    return Outcome(tree.name, "", LEAD, results, _described(walks, seen), tree.notes + found, footer, tables)


def _by_silhouettes(tree: Tree, keep: Path | None) -> Outcome:
    from gaitnet.cli.evaluate_energy import ENERGY, LEAD, outline_all, results_of, vectors_of
    from gaitnet.cli.evaluate_road import remarks
    from gaitnet.evaluation.selection import Table

    walks, train = _used(tree), tree.protocol.train
    mask = [] if train is None else train.mask(Table(tree.walks))
    learned = [walk for walk, own in zip(tree.walks, mask, strict=False) if own]
    found = outline_all([*walks, *learned], keep)
    own, others = found[: len(walks)], found[len(walks) :]
    remarked = remarks([*walks, *learned], [(one.reason, one.dropped) for one in found], tree.dropped)
    _require_some(own, remarked)
    results, told = results_of(tree.protocol, walks, own, learned, others)
    methods, vectors = ("PCA and LDA", "as they are, nearest"), {"gait energy images": vectors_of(own, ENERGY)}
    tables = _tables(tree, walks, results, methods, vectors)
    notes = [*tree.notes, told, *remarked]
    return Outcome(f"{tree.name}-silhouettes", "", LEAD, results, _described(walks, own), notes, tables=tables)


def _require_some(found: Sequence[Any], remarked: list[str]) -> None:
    if not any(one.arrays for one in found):
        raise ValueError(f"--root: nobody can be compared with anybody: {'; '.join(remarked)}")


def _described(walks: "Sequence[Walk]", found: Sequence[Any]) -> Any:
    import numpy as np

    from gaitnet.evaluation.intervals import rate_over_subjects

    return rate_over_subjects(
        np.array([bool(one.arrays) for one in found]), np.array([walk.subject_id for walk in walks])
    )


def _tables(
    tree: Tree, walks: "Sequence[Walk]", results: dict[str, Any], methods: Sequence[str], vectors: dict[str, Any]
) -> list[Any]:
    """Rates of some methods by view where the protocol parts views, and the ranking of single walks if there is one."""
    from gaitnet.cli.evaluate_views import by_probe_view, ranked

    if tree.protocol.views != "pairs":
        return []
    tables = [by_probe_view(method, result) for method, result in results.items() if method in methods]
    return tables if tree.ranked is None else [*tables, ranked(tree.ranked, walks, vectors)]
