"""A gallery made ready for questions: the machine fitted on it, and the threshold that strangers set against it."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays
from gaitnet.identification.open_set import (
    OpenSetCalibration,
    OpenSetDecision,
    OpenSetScores,
    calibrate_open_set,
    decide,
    gallery_similarities,
    least_strangers,
    open_set_scores,
)
from gaitnet.identification.svm import LinearSVM, fit_linear_svm, linear_svm

STRANGERS = "strangers.npz"
"""Beside the weights: `vectors` (stranger, size) and `subject_ids` (stranger,) of people nobody enrols."""
WANTED_FPIR = 0.01
"""Share of strangers who may be taken for somebody enrolled."""
UNCALIBRATED = OpenSetCalibration(0.0, WANTED_FPIR, (), None, None, {})
"""Scores can be had with it, names cannot: its threshold is nobody's."""


class Strangers(NamedTuple):
    """Other people's identification vectors, with whose they are."""

    vectors: Float[np.ndarray, "stranger size"]
    subject_ids: tuple[str, ...]
    model: str = ""
    """Which networks made the vectors (`GaitRecognizer.identity`)."""

    def parted(self) -> "tuple[Strangers, Strangers]":
        """Every other person, for the machine to learn against, and the rest, who set the threshold of "unknown".

        Nobody is both: who was learned from is further off than a stranger who comes.
        """
        place = {name: number for number, name in enumerate(dict.fromkeys(self.subject_ids))}
        odd = np.array([place[name] % 2 for name in self.subject_ids], bool)
        return self._only(odd), self._only(~odd)

    def _only(self, rows: Bool[np.ndarray, " stranger"]) -> "Strangers":
        names = tuple(name for name, kept in zip(self.subject_ids, rows, strict=True) if kept)
        return Strangers(self.vectors[rows], names, self.model)


def against(
    strangers: "Strangers | OpenSetCalibration | None",
) -> Callable[[Float[np.ndarray, "walk size"], Shaped[np.ndarray, " walk"]], Callable[[np.ndarray], np.ndarray]]:
    """The SVM of `Search.over` as a classifier of `gaitnet.evaluation.runner.evaluate`; alone without strangers."""
    if not isinstance(strangers, Strangers):
        return linear_svm
    background = strangers.parted()[0].vectors
    return lambda vectors, labels: fit_linear_svm(vectors, labels.tolist(), background=background).scores


class Verification(NamedTuple):
    """Whether a walk is a claimed person's: `score` above `threshold`, and `margin` not below 0.

    The margin is the lead over the best other.
    """

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
        """Fit the machine on a gallery, against every other stranger; the rest set the threshold for this very gallery.

        With a threshold that is known already, the gallery's people stand against each other alone.

        Raises:
            ValueError: nobody is enrolled, or the strangers are too few for `wanted_fpir`.

        """
        if isinstance(calibration, OpenSetCalibration):
            return cls(templates, tuple(owners), fit_linear_svm(templates, owners), calibration)
        background, others = calibration.parted()
        least = least_strangers(wanted_fpir)
        if len(others.vectors) < least:
            raise ValueError(
                f"strangers: half of these {len(calibration.vectors)} walks set the threshold, and {wanted_fpir:g} of "
                f"strangers named takes {least} or more; make more with python -m train strangers"
            )
        machine = fit_linear_svm(templates, owners, background=background.vectors)
        search = cls(templates, tuple(owners), machine, UNCALIBRATED)
        # a stranger's name in the file must not clash with a name that somebody enrols
        names = [f"stranger/{name}" for name in others.subject_ids]
        threshold = calibrate_open_set(
            search.scored(others.vectors).score, names, [f"enrolled/{name}" for name in owners], wanted_fpir
        )
        return replace(search, calibration=_with_confidence(threshold, others, background, len(machine.subject_ids)))

    def tables(
        self, probes: Float[np.ndarray, "probe size"]
    ) -> tuple[Float[np.ndarray, "probe subject"], Float[np.ndarray, "probe subject"]]:
        """Machine scores and nearest cosines of each probe, a column for each of `machine.subject_ids`."""
        names = self.machine.subject_ids
        return self.machine.scores(probes), gallery_similarities(probes, self.templates, self.owners, names)

    def scored(self, probes: Float[np.ndarray, "probe size"]) -> OpenSetScores:
        """How strongly each probe points at its best candidate."""
        return open_set_scores(*self.tables(probes))

    def identify(self, probes: Float[np.ndarray, "probe size"]) -> list[OpenSetDecision]:
        """Name each walk, or say "unknown"."""
        return decide(*self.tables(probes), self.machine.subject_ids, self.calibration)

    def verify(self, probe: Float[np.ndarray, " size"], subject_id: str) -> Verification:
        """Whether a walk is this person's: above the threshold that `identify` has, and nobody else fits better.

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
        score = float(scores[claimed])
        confidence = float(self.calibration.confidence(np.array([score]))[0])
        threshold = self.calibration.threshold
        accepted = score > threshold and margin >= 0
        return Verification(accepted, score, threshold, margin, similarity, confidence)


def _with_confidence(
    calibration: OpenSetCalibration, strangers: Strangers, background: Strangers, people: int
) -> OpenSetCalibration:
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
    # a gallery of one has nobody else to be told from: each is then searched for in a gallery of their own
    groups = [[one] for one in range(len(members))] if people == 1 else [list(range(len(members)))]
    right, wrong = [], []
    for group in groups:
        enrolled = np.concatenate([rows[one][:-1] for one in group])
        templates, names = strangers.vectors[enrolled], owners[enrolled].tolist()
        machine = fit_linear_svm(templates, names, background=background.vectors)
        search = Search(templates, tuple(names), machine, UNCALIBRATED)
        found = search.scored(strangers.vectors[[rows[one][-1] for one in group]])
        right.append(found.score[found.best == np.arange(len(group))])
        wrong.append(search.scored(outside).score)
    genuine, others = np.concatenate(right), np.concatenate(wrong)
    if not len(genuine):
        return calibration
    numbered = [f"stranger/{number}" for number in range(len(others))]
    fitted = calibrate_open_set(others, numbered, [], 0.5, genuine)
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
