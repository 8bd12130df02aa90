"""How long an evaluation of CASIA-B's size takes, and how many times a literal twin of it takes on a smaller one.

    python benchmarks/evaluation.py [--subjects 50] [--small 12] [--seconds 5]

50 test subjects, ten walks each from eleven views, vectors of 16 parts with 256 features: the protocol's three rows,
every gallery view against every other probe view, with all rates, curves' values, intervals and open-set figures of a
result. Then evidence (decisions, likelihood ratios, Cllr) and the cross-view ranking with mAP. The twin goes through
the same protocol walk by walk and pair by pair, for rank-1 alone; both must agree. Times are those of one thread: an
idle processor takes no longer by the wall clock. Exits with 1 where the twins differ, or where the evaluation takes
longer than --seconds.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # waiting threads would count as work; read when numpy is imported

import numpy as np

from gaitnet.evaluation.distances import nearest_by_parts, part_distances
from gaitnet.evaluation.evidence import evidence_of
from gaitnet.evaluation.protocols import CASIA_B, CASIA_B_CROSS_VIEW, Sample, evaluate, evaluate_ranked

PARTS, FEATURES = 16, 256
VIEWS = tuple(float(view) for view in range(0, 181, 18))
WALKS = tuple(
    f"{kind}-{number:02d}" for kind, most in (("nm", 6), ("bg", 2), ("cl", 2)) for number in range(1, most + 1)
)
Out = TypeVar("Out")


def crowd(subjects: int, seed: int = 0) -> tuple[list[Sample], np.ndarray]:
    """Walks of a test set, and vectors (sample, part x feature) that name most of them rightly."""
    generator = np.random.default_rng(seed)
    samples = [
        Sample(f"{75 + person:03d}", walk[:2].upper(), "", view, walk, "test")
        for person in range(subjects) for walk in WALKS for view in VIEWS
    ]  # fmt: skip
    size = PARTS * FEATURES
    people, noise = generator.standard_normal((subjects, size), np.float32), 4.0
    vectors = np.repeat(people, len(WALKS) * len(VIEWS), axis=0)
    vectors += noise * generator.standard_normal(vectors.shape, np.float32)
    return samples, vectors


def timed(what: Callable[[], Out]) -> tuple[float, Out]:
    """Seconds of processor time of a call, and what it gave."""
    start = time.process_time()
    result = what()
    return time.process_time() - start, result


def literal_rank_1(samples: Sequence[Sample], vectors: np.ndarray) -> dict[str, float]:
    """Rank-1 of each row, as OpenGait describes it: pair of views by pair of views, walk by walk."""
    parts = vectors.reshape(len(vectors), PARTS, FEATURES)
    found = {}
    for name, walks in (("NM", ("nm-05", "nm-06")), ("BG", ("bg-01", "bg-02")), ("CL", ("cl-01", "cl-02"))):
        by_probe_view = []
        for probe_view in VIEWS:
            cells = []
            for gallery_view in VIEWS:
                if gallery_view == probe_view:
                    continue
                gallery = [
                    index for index, walk in enumerate(samples)
                    if walk.view == gallery_view and walk.sequence in ("nm-01", "nm-02", "nm-03", "nm-04")
                ]  # fmt: skip
                hits = []
                for index, walk in enumerate(samples):
                    if walk.view == probe_view and walk.sequence in walks:
                        apart = [np.mean(np.linalg.norm(parts[index] - parts[other], axis=1)) for other in gallery]
                        hits.append(samples[gallery[int(np.argmin(apart))]].subject_id == walk.subject_id)
                cells.append(np.mean(hits))
            by_probe_view.append(np.mean(cells))
        found[name] = float(np.mean(by_probe_view))
    return found


def similarity(probes: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Negative mean distance of the parts."""
    return -part_distances(*(vectors.reshape(len(vectors), PARTS, FEATURES) for vectors in (probes, gallery)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=50, help="people of the large evaluation (%(default)s)")
    parser.add_argument("--small", type=int, default=12, help="people of the one that the twin does too (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="what the large one may take (%(default)s)")
    arguments = parser.parse_args()

    samples, vectors = crowd(arguments.subjects)
    taken, result = timed(lambda: evaluate(CASIA_B, samples, vectors, nearest_by_parts(PARTS)))
    rates = ", ".join(f"{row.name} {row.rank_1}" for row in result.rows)
    print(f"{len(samples)} walks, {len(result.searches)} searches: {taken:.2f} s ({rates})")
    seconds, _ = timed(lambda: [evidence_of(*row.pairs) for row in result.rows])
    print(f"evidence of {sum(row.scores.size for row in result.rows)} pairs: {seconds:.2f} s")
    seconds, ranked = timed(lambda: evaluate_ranked(CASIA_B_CROSS_VIEW, samples, vectors, similarity))
    print(f"cross-view ranking: {seconds:.2f} s (mAP {', '.join(str(row.mean_average_precision) for row in ranked)})")

    samples, vectors = crowd(arguments.small, seed=1)
    fast, result = timed(lambda: evaluate(CASIA_B, samples, vectors, nearest_by_parts(PARTS)))
    slow, expected = timed(lambda: literal_rank_1(samples, vectors))
    agree = all(abs(result.row(name).rank_1.value - value) < 1e-9 for name, value in expected.items())
    print(f"{arguments.small} people: {fast:.2f} s with all rates and intervals, the twin's rank-1 {slow:.2f} s: "
          f"{slow / fast:.0f} times; they {'agree' if agree else 'DIFFER'}")  # fmt: skip
    return 0 if agree and taken <= arguments.seconds else 1


if __name__ == "__main__":
    sys.exit(main())
