"""Is it anybody we know? The margin of the SVM, a threshold set on strangers, and an answer that may be "unknown".

The threshold is the score that only a wanted share of *other people* - not enrolled, not trained on - would exceed
against this very gallery (the false-positive identification rate, FPIR). It therefore follows the size and looks of the
gallery: calibrate again after enrolling.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from gaitnet.evaluation.calibration import logistic_line
from gaitnet.identification.svm import unit_length


class OpenSetScores(NamedTuple):
    """How strongly each probe points at its best candidate."""

    best: Int[np.ndarray, " probe"]
    """Index of the best-scoring subject."""
    margin: Float[np.ndarray, " probe"]
    """Classifier score of the best minus the second best (>= 0); 0 where only one person is enrolled."""
    similarity: Float[np.ndarray, " probe"]
    """Cosine to the nearest enrolled vector of that subject, -1 to 1."""
    score: Float[np.ndarray, " probe"]
    """Classifier score of the best: the SVM's decision value, 0 on its boundary. What the threshold is about."""


@dataclass(frozen=True)
class OpenSetCalibration:
    """A threshold and where it comes from. JSON-ready.

    Scores above `threshold` are named. `wanted_fpir`: share of strangers allowed above it. `stranger_scores`: sorted
    scores of the strangers. `slope`, `intercept`: logistic curve of the confidence, None where no genuine scores were
    given. `provenance`: how many strangers and sequences, and whatever the caller adds (cohort, model sha256, date).
    """

    threshold: float
    wanted_fpir: float
    stranger_scores: tuple[float, ...]
    slope: float | None
    intercept: float | None
    provenance: Mapping[str, Any]

    def confidence(self, scores: Float[np.ndarray, " probe"]) -> Float[np.ndarray, " probe"]:
        """Between 0 and 1, rising with the score.

        With genuine scores at calibration: the probability that the named person is right, if strangers and enrolled
        people are equally likely to come. Without: the share of strangers who scored lower.
        """
        if self.slope is None or self.intercept is None:
            lower = np.searchsorted(self.stranger_scores, scores, side="left")
            return lower / (len(self.stranger_scores) + 1)
        return _logistic(self.slope * scores + self.intercept)


@dataclass(frozen=True)
class OpenSetDecision:
    """The answer for one probe. `subject_id` is None for "unknown"; `candidate` is who it would have been."""

    subject_id: str | None
    candidate: str
    score: float
    margin: float
    similarity: float
    confidence: float

    @property
    def unknown(self) -> bool:
        """True where nobody is named."""
        return self.subject_id is None


def gallery_similarities(
    probes: Float[np.ndarray, "probe size"],
    templates: Float[np.ndarray, "template size"],
    template_subject_ids: Sequence[str],
    subject_ids: Sequence[str],
) -> Float[np.ndarray, "probe subject"]:
    """Cosine of each probe to the nearest template of each subject; every subject needs at least one template."""
    cosines = unit_length(probes) @ unit_length(templates).T
    owners = np.asarray(template_subject_ids, dtype=str)
    missing = sorted(set(subject_ids) - set(owners.tolist()))
    if missing:
        raise ValueError(f"subject_ids: no template for {', '.join(missing)}; enrol them or leave them out")
    return np.stack([cosines[:, owners == name].max(axis=1) for name in subject_ids], axis=1)


def open_set_scores(
    class_scores: Float[np.ndarray, "probe subject"],
    similarities: Float[np.ndarray, "probe subject"],
) -> OpenSetScores:
    """Score each probe from the classifier's scores (LinearSVM.scores) and the cosines (gallery_similarities)."""
    rows = np.arange(len(class_scores))
    best = np.argmax(class_scores, axis=1)
    ranked = np.sort(class_scores, axis=1)
    margin = ranked[:, -1] - ranked[:, -2] if class_scores.shape[1] > 1 else np.zeros(len(rows), class_scores.dtype)
    return OpenSetScores(best, margin, similarities[rows, best], ranked[:, -1])


def least_strangers(wanted_fpir: float) -> int:
    """How few strangers' sequences can set a threshold that a share of `wanted_fpir` exceeds: 1 / wanted_fpir - 1.

    Raises ValueError where the share does not lie between 0 and 1.
    """
    if not 0 < wanted_fpir < 1:
        raise ValueError(f"wanted_fpir must lie between 0 and 1, got {wanted_fpir}")
    return max(1, math.ceil(1 / wanted_fpir - 1 - 1e-9))


def calibrate_open_set(
    stranger_scores: Float[np.ndarray, " stranger"],
    stranger_ids: Sequence[str],
    enrolled_ids: Sequence[str],
    wanted_fpir: float = 0.01,
    genuine_scores: Float[np.ndarray, " genuine"] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> OpenSetCalibration:
    """Set the threshold so that a new stranger exceeds it with probability at most `wanted_fpir`.

    `stranger_scores`: `open_set_scores(...).score` of sequences of people who are not enrolled, with their ids. The
    threshold is their split-conformal quantile, exact on average where the coming strangers are like these.
    `genuine_scores`: scores of enrolled people's *other* sequences, for a confidence that is a probability. Raises
    ValueError where an enrolled person is among the strangers, or where they are too few for the rate (see
    `least_strangers`).
    """
    scores = np.sort(np.asarray(stranger_scores, np.float64))
    overlap = sorted(set(stranger_ids) & set(enrolled_ids))
    if overlap:
        raise ValueError(
            f"stranger_ids: {', '.join(overlap)} are enrolled, so not strangers; leave their sequences out"
        )
    least = least_strangers(wanted_fpir)
    if len(scores) != len(stranger_ids) or not np.isfinite(scores).all():
        raise ValueError(f"stranger_scores: expected {len(stranger_ids)} finite numbers, one per stranger_id")
    if len(scores) < least:
        raise ValueError(
            f"stranger_scores: a false-positive rate of {wanted_fpir:g} needs at least {least} strangers' sequences, "
            f"got {len(scores)}; add some or ask for a higher rate"
        )
    rank = max(1, math.ceil((1 - wanted_fpir) * (len(scores) + 1) - 1e-9))
    slope, intercept = (None, None) if genuine_scores is None else _fit_logistic(scores, np.asarray(genuine_scores))
    counted = {
        "strangers": len(set(stranger_ids)),
        "stranger_sequences": len(scores),
        "enrolled": len(set(enrolled_ids)),
    }
    return OpenSetCalibration(
        threshold=float(scores[rank - 1]),
        wanted_fpir=wanted_fpir,
        stranger_scores=tuple(scores.tolist()),
        slope=slope,
        intercept=intercept,
        provenance=counted | dict(provenance or {}),
    )


def decide(
    class_scores: Float[np.ndarray, "probe subject"],
    similarities: Float[np.ndarray, "probe subject"],
    subject_ids: Sequence[str],
    calibration: OpenSetCalibration,
) -> list[OpenSetDecision]:
    """Name each probe, or say "unknown": the columns of both score tables are `subject_ids`."""
    table = open_set_scores(class_scores, similarities)
    confidences = calibration.confidence(table.score)
    decisions = []
    for best, margin, similarity, score, confidence in zip(*table, confidences, strict=True):
        candidate = subject_ids[best]
        named = candidate if score > calibration.threshold else None
        numbers = (float(number) for number in (score, margin, similarity, confidence))
        decisions.append(OpenSetDecision(named, candidate, *numbers))
    return decisions


def in_percent(confidence: float) -> str:
    """A confidence 0..1 as it is told to people, "87 %": rounded down and never "100 %", since none is certainty."""
    return f"{min(int(100 * confidence), 99)} %"


def _logistic(x: Shaped[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return 0.5 * (1 + np.tanh(0.5 * x))  # never overflows


def _fit_logistic(strangers: np.ndarray, genuine: np.ndarray) -> tuple[float, float]:
    """Platt scaling (1999); the slope is never negative.

    Soft targets keep it finite where the sides do not overlap.
    """
    if not len(genuine):
        raise ValueError("genuine_scores: expected at least one score, or None")
    targets = 1 - 1 / (len(genuine) + 2), 1 / (len(strangers) + 2)
    slope, intercept = logistic_line(genuine, strangers, targets, (1e-4, 1e-6))
    if slope < 0:  # level then, at the height that the curve has in the middle
        return 0.0, intercept + slope * float(np.concatenate([strangers, genuine]).mean())
    return slope, intercept
