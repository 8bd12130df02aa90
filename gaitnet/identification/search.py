"""A gallery made ready for questions: the machine fitted on it, and the threshold that strangers set against it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays
from gaitnet.identification.open_set import (
    OpenSetCalibration,
    OpenSetDecision,
    calibrate_open_set,
    decide,
    gallery_similarities,
    open_set_scores,
)
from gaitnet.identification.svm import LinearSVM, fit_linear_svm

STRANGERS = "strangers.npz"
"""Beside the weights: `vectors` (stranger, size) and `subject_ids` (stranger,) of people nobody enrols."""
WANTED_FPIR = 0.01
"""Share of strangers who may be taken for somebody enrolled."""
UNCALIBRATED = OpenSetCalibration(0.0, WANTED_FPIR, 0.5, (), None, None, {})
"""Scores can be had with it, names cannot: its threshold is nobody's."""


class Strangers(NamedTuple):
    """Other people's identification vectors, with whose they are."""

    vectors: Float[np.ndarray, "stranger size"]
    subject_ids: tuple[str, ...]
    model: str = ""
    """Which networks made the vectors (`GaitRecognizer.identity`)."""


class Verification(NamedTuple):
    """Whether a walk is a claimed person's: `score` above `threshold`. `margin` below 0: another fits better."""

    accepted: bool
    score: float
    threshold: float
    margin: float
    similarity: float
    confidence: float


@dataclass(frozen=True)
class Search:
    """Answers who a walk is, among the people of a gallery.

    Args:
        templates: enrolled vectors, with `owners`, whose each of them is.
        machine: fitted on them.
        calibration: threshold and confidence of the answers.

    """

    templates: Float[np.ndarray, "template size"]
    owners: tuple[str, ...]
    machine: LinearSVM
    calibration: OpenSetCalibration

    @classmethod
    def over(
        cls,
        templates: Float[np.ndarray, "template size"],
        owners: Sequence[str],
        calibration: OpenSetCalibration | Strangers,
        wanted_fpir: float = WANTED_FPIR,
    ) -> "Search":
        """Fit the machine on a gallery; strangers set the threshold against this very gallery.

        Raises:
            ValueError: nobody is enrolled, or the strangers are too few for `wanted_fpir`.

        """
        machine = fit_linear_svm(templates, owners)
        if isinstance(calibration, Strangers):
            unready = cls(templates, tuple(owners), machine, UNCALIBRATED)
            scores = open_set_scores(*unready.tables(calibration.vectors), UNCALIBRATED.margin_weight).score
            # a stranger's name in the file must not clash with a name that somebody enrols
            names = [f"stranger/{name}" for name in calibration.subject_ids]
            threshold = calibrate_open_set(scores, names, [f"enrolled/{name}" for name in owners], wanted_fpir)
            calibration = _with_confidence(threshold, calibration, len(machine.subject_ids))
        return cls(templates, tuple(owners), machine, calibration)

    def tables(
        self, probes: Float[np.ndarray, "probe size"]
    ) -> tuple[Float[np.ndarray, "probe subject"], Float[np.ndarray, "probe subject"]]:
        """Machine scores and nearest cosines of each probe, a column for each of `machine.subject_ids`."""
        names = self.machine.subject_ids
        return self.machine.scores(probes), gallery_similarities(probes, self.templates, self.owners, names)

    def identify(self, probes: Float[np.ndarray, "probe size"]) -> list[OpenSetDecision]:
        """Name each walk, or say "unknown"."""
        return decide(*self.tables(probes), self.machine.subject_ids, self.calibration)

    def verify(self, probe: Float[np.ndarray, " size"], subject_id: str) -> Verification:
        """Whether a walk is this person's: their score, less the best of everybody else's, against the same threshold.

        Raises:
            ValueError: nobody of that name is enrolled.

        """
        names = self.machine.subject_ids
        if subject_id not in names:
            raise ValueError(f"subject_id: {subject_id!r} is not enrolled; enrolled are {', '.join(names)}")
        claimed = names.index(subject_id)
        scores, similarities = (table[0] for table in self.tables(probe[None]))
        margin = float(scores[claimed] - np.delete(scores, claimed).max()) if len(names) > 1 else 0.0
        similarity = float(similarities[claimed])
        score = similarity + self.calibration.margin_weight * margin
        confidence = float(self.calibration.confidence(np.array([score]))[0])
        threshold = self.calibration.threshold
        return Verification(score > threshold, score, threshold, margin, similarity, confidence)


def _with_confidence(calibration: OpenSetCalibration, strangers: Strangers, people: int) -> OpenSetCalibration:
    """The calibration with a confidence that is a probability: how often an answer of such a score is right.

    Learned by playing it through: as many strangers as people are enrolled (at most half of all) form a gallery of all
    but the last walk of each; these last walks and the other strangers are searched for. Unchanged where fewer than two
    strangers have two walks.
    """
    owners = np.asarray(strangers.subject_ids, dtype=str)
    _, places, counts = np.unique(owners, return_inverse=True, return_counts=True)
    half = len(counts) // 2
    members = np.flatnonzero(counts >= 2)[: half if people == 1 else min(people, half)]
    if not len(members):
        return calibration
    rows = [np.flatnonzero(places == member) for member in members]
    outside = strangers.vectors[~np.isin(places, members)]
    weight = calibration.margin_weight
    # one person has no margin to others: each is then searched for in a gallery of their own
    groups = [[one] for one in range(len(members))] if people == 1 else [list(range(len(members)))]
    right, wrong = [], []
    for group in groups:
        enrolled = np.concatenate([rows[one][:-1] for one in group])
        search = Search.over(strangers.vectors[enrolled], owners[enrolled].tolist(), UNCALIBRATED)
        found = open_set_scores(*search.tables(strangers.vectors[[rows[one][-1] for one in group]]), weight)
        right.append(found.score[found.best == np.arange(len(group))])
        wrong.append(open_set_scores(*search.tables(outside), weight).score)
    genuine, others = np.concatenate(right), np.concatenate(wrong)
    if not len(genuine):
        return calibration
    names = [f"stranger/{number}" for number in range(len(others))]
    fitted = calibrate_open_set(others, names, [], 0.5, genuine)
    return replace(calibration, slope=fitted.slope, intercept=fitted.intercept)


def load_yardstick(folder: str | Path, model: str) -> Strangers:
    """What the threshold is set by, from the folder of the gait weights; `model` names the networks in use.

    Raises:
        ValueError: the folder holds no strangers, a damaged file, or strangers whom other networks described.

    """
    path = Path(folder) / STRANGERS
    if not path.exists():
        raise ValueError(
            f"{folder} holds no {STRANGERS}, so that nobody could be told from a stranger; "
            "these weights can describe, but not identify"
        )
    try:
        stored = read_arrays(path.read_bytes(), "vectors", "subject_ids", "model")
        vectors = np.asarray(stored["vectors"], np.float32)
        names = tuple(str(name) for name in stored["subject_ids"])
        made_by = str(stored["model"])
        if vectors.ndim != 2 or len(vectors) != len(names) or not np.isfinite(vectors).all():
            raise ValueError(f"vectors {vectors.shape} for {len(names)} names")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a sound file of strangers ({error}); install the weights again") from error
    if made_by != model:
        raise ValueError(
            f"{path} was described by the networks {made_by}, not by those in use, {model}: make it anew with "
            "python -m train strangers"
        )
    return Strangers(vectors, names, made_by)


def save_strangers(path: str | Path, strangers: Strangers) -> None:
    """Write strangers as `load_yardstick` reads them, in float16."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        vectors=strangers.vectors.astype(np.float16),
        subject_ids=np.array(strangers.subject_ids),
        model=np.array(strangers.model),
    )
    write_whole(Path(path), buffer.getvalue())
