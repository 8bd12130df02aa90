"""The experiments by name; `evaluate` runs any of them."""

from gaitnet.datasets.kth import VALIDATION_PERSONS
from gaitnet.evaluation.results import Result
from gaitnet.evaluation.runner import Classifier, evaluate, evaluate_open_set
from gaitnet.evaluation.selection import Protocol, Row, Sample, Select

__all__ = [
    "CASIA_B", "CASIA_B_POOLED", "CMU", "KTH", "TUM_GAID_1", "TUM_GAID_2",
    "Classifier", "Protocol", "Result", "Row", "Sample", "Select", "evaluate", "evaluate_open_set",
]  # fmt: skip

_TUM_TRAIN = Select(parts=("train", "validation"))

TUM_GAID_1 = Protocol(
    "TUM-GAID experiment 1",
    "Hofmann et al., JVCIR 2014: normal walk, backpack, coating shoes",
    tuple(
        Row(name, Select(sequences=("n1", "n2", "n3", "n4")), Select(sequences=walks))
        for name, walks in (("N", ("n5", "n6")), ("B", ("b1", "b2")), ("S", ("s1", "s2")))
    ),
    test=Select(parts=("test",)),
    train=_TUM_TRAIN,
    distractors=False,
    average_rows=True,
)

TUM_GAID_2 = Protocol(
    "TUM-GAID experiment 2",
    "Hofmann et al., JVCIR 2014: elapsed time; enrolled in session 1 (January), searched in session 2 (April)",
    tuple(
        Row(name, Select(sessions=("1",), sequences=("n1", "n2", "n3", "n4")), Select(sessions=("2",), sequences=walks))
        for name, walks in (("N", ("n11", "n12")), ("B", ("b3", "b4")), ("S", ("s3", "s4")))
    ),
    test=Select(parts=("test",)),
    train=_TUM_TRAIN,
    distractors=False,
    average_rows=True,
)

CMU = Protocol(
    "CMU motion capture",
    "first clip of a performer enrols, the others are searched for; performers of a single clip are distractors",
    (Row("other clips", Select(clips=(0, 1)), Select(clips=(1, None))),),
)

KTH = Protocol(
    "KTH walking",
    "Schuldt et al., ICPR 2004, passes as listed: d1 outdoors, d3 other clothes or bag, d4 indoors",
    (
        Row(
            "d1 within", Select(sessions=("d1",), sequences=("1", "2")), Select(sessions=("d1",), sequences=("3", "4"))
        ),
        Row("d1 to d4", Select(sessions=("d1",)), Select(sessions=("d4",))),
        Row("d1 to d3", Select(sessions=("d1",)), Select(sessions=("d3",))),
    ),
    groups=(("persons kept out of all training", VALIDATION_PERSONS),),
)

_CASIA_B_ROWS = tuple(
    Row(name, Select(sequences=("nm-1", "nm-2", "nm-3", "nm-4")), Select(sequences=walks))
    for name, walks in (("NM", ("nm-5", "nm-6")), ("BG", ("bg-1", "bg-2")), ("CL", ("cl-1", "cl-2")))
)

CASIA_B = Protocol(
    "CASIA-B",
    "Yu et al., ICPR 2006: large-sample training split, identical view left out",
    _CASIA_B_ROWS,
    test=Select(parts=("test",)),
    train=Select(parts=("train",)),
    views="pairs",
)

CASIA_B_POOLED = Protocol(
    "CASIA-B, pooled gallery",
    "as CASIA-B, but every other view in one gallery: easier, not comparable with the published grid",
    _CASIA_B_ROWS,
    test=Select(parts=("test",)),
    train=Select(parts=("train",)),
    views="others",
)
