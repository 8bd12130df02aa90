"""The experiments by name; `evaluate` runs any of them."""

from gaitnet.datasets.kth import VALIDATION_PERSONS
from gaitnet.evaluation.ranking import evaluate_ranked
from gaitnet.evaluation.results import Result
from gaitnet.evaluation.runner import Classifier, evaluate, evaluate_open_set
from gaitnet.evaluation.selection import Protocol, Row, Sample, Select

__all__ = [
    "CASIA_A", "CASIA_A_LEAVE_ONE_OUT", "CASIA_B", "CASIA_B_CROSS_VIEW", "CASIA_B_POOLED", "CMU", "CMU_RENDERED",
    "KINECT", "KTH", "TUM_GAID_1", "TUM_GAID_2", "UCALGARY", "USF",
    "Classifier", "Protocol", "Result", "Row", "Sample", "Select", "evaluate", "evaluate_open_set", "evaluate_ranked",
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

CMU_RENDERED = Protocol(
    "CMU motion capture, rendered",
    "as CMU motion capture, from the side; the other clips also from 54 degrees off it, in a coat, with a backpack",
    tuple(
        Row(
            name,
            Select(conditions=("NM",), views=(90.0,), clips=(0, 1)),
            Select(conditions=(condition,), views=(view,), clips=(1, None)),
        )
        for name, condition, view in (
            ("other clips", "NM", 90.0), ("54 degrees off", "NM", 36.0), ("coat", "CL", 90.0), ("bag", "BG", 90.0),
        )
    ),
)  # fmt: skip

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

CASIA_B_CROSS_VIEW = Protocol(
    "CASIA-B, cross-view with mAP",
    "OpenGait's second way: the first walk of each condition ranks the second walks of all three",
    tuple(
        Row(name, Select(sequences=("nm-2", "bg-2", "cl-2")), Select(sequences=(walk,)))
        for name, walk in (("NM", "nm-1"), ("BG", "bg-1"), ("CL", "cl-1"))
    ),
    test=Select(parts=("test",)),
    train=Select(parts=("train",)),
    views="ranked",
)

_CASIA_A_SOURCE = "Wang et al., PAMI 2003: 20 people, three directions, four walks in each"

CASIA_A = Protocol(
    "CASIA-A",
    _CASIA_A_SOURCE,
    (
        Row(
            "walk 4",
            Select(sequences=tuple(f"{direction}_{walk}" for direction in ("0", "45", "90") for walk in (1, 2, 3))),
            Select(sequences=("0_4", "45_4", "90_4")),
        ),
    ),
    views="same",
)

CASIA_A_LEAVE_ONE_OUT = Protocol(
    "CASIA-A, leave one walk out",
    _CASIA_A_SOURCE,
    (Row("every walk", Select(), Select(), leave_own_walk_out=True),),
    views="same",
)

USF = Protocol(
    "USF Gait Challenge 1.7",
    "Sarkar et al., PAMI 2005: view (A), shoe (B), surface (D) and what they make together",
    tuple(
        Row(f"{probe} ({differs})", Select(sessions=("gallery",)), Select(sessions=(probe,)))
        for probe, differs in (
            ("A", "view"), ("B", "shoe"), ("C", "shoe, view"), ("D", "surface"), ("E", "surface, shoe"),
            ("F", "surface, view"), ("G", "surface, shoe, view"),
        )
    ),
    average_rows=True,
    one_decision=True,
    trains_on_gallery=True,
)  # fmt: skip

KINECT = Protocol(
    "Kinect walks",
    "Andersson & Araujo, AAAI 2015: every walk is searched for among the others of everybody",
    (Row("every walk", Select(), Select(), leave_own_walk_out=True),),
)

UCALGARY = Protocol(
    "UCalgary",
    "Kozlow et al., SSCI 2017: normal run 1 enrols; the impaired runs are the covariate",
    tuple(
        Row(name, Select(sequences=("1",)), Select(sequences=runs))
        for name, runs in (("normal", ("2",)), ("right leg impaired", ("3", "4")), ("left leg impaired", ("5", "6")))
    ),
)
