"""mAP, mINP and the open set against slow twins, scikit-learn and cases worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from gaitnet.evaluation.metrics import fnir_at_fpir, walk_ranks
from gaitnet.evaluation.open_set import rates_of_open_set
from gaitnet.evaluation.protocols import CASIA_B, CASIA_B_CROSS_VIEW, Sample, evaluate, evaluate_ranked
from gaitnet.evaluation.selection import Protocol, Row, Select, Table

CONDITIONS = ("nm", "bg", "cl")


def table(people="abcde", views=(0.0, 90.0, 180.0)):
    walks = [f"{kind}-{number:02d}" for kind in CONDITIONS for number in (1, 2)]
    return [Sample(p, walk[:2].upper(), "", view, walk, "test") for p in people for walk in walks for view in views]


def vectors_of(samples, noise=0.8):
    rng = np.random.default_rng(0)
    means = {p: rng.normal(size=5) for p in sorted({sample.subject_id for sample in samples})}
    return np.stack([means[sample.subject_id] + noise * rng.normal(size=5) for sample in samples])


def similarity(probes, gallery):
    return -np.linalg.norm(probes[:, None] - gallery[None], axis=2)


def test_cross_view_matches_the_literal_twin_and_scikit_learn():
    samples = table()
    vectors = vectors_of(samples)
    found = {row.name: row for row in evaluate_ranked(CASIA_B_CROSS_VIEW, samples, vectors, similarity, resamples=50)}
    for name, first in (("NM", "nm-01"), ("BG", "bg-01"), ("CL", "cl-01")):
        hits, within_5, precisions, penalties = [], [], [], []
        for one, probe in enumerate(samples):
            if probe.sequence != first:
                continue
            others = [
                place for place, walk in enumerate(samples)
                if walk.sequence.endswith("02") and (walk.subject_id, walk.view) != (probe.subject_id, probe.view)
            ]  # fmt: skip
            scores = np.array([-np.linalg.norm(vectors[one] - vectors[place]) for place in others])
            mates = np.array([samples[place].subject_id == probe.subject_id for place in others])
            order = np.argsort(-scores)
            hits.append(bool(mates[order[0]]))
            within_5.append(bool(mates[order[:5]].any()))
            precisions.append(average_precision_score(mates, scores))
            penalties.append(mates.sum() / (np.flatnonzero(mates[order])[-1] + 1))
        row = found[name]
        assert row.rank_1.value == pytest.approx(np.mean(hits))
        assert row.rank_5.value == pytest.approx(np.mean(within_5))
        assert row.mean_average_precision.value == pytest.approx(np.mean(precisions))
        assert row.mean_inverse_negative_penalty.value == pytest.approx(np.mean(penalties))
        assert row.mean_average_precision.low < row.mean_average_precision.value < row.mean_average_precision.high
        assert (row.rank_1.count, row.described, row.gallery_walks, row.nonmated) == (15, 15, 45, 0)
        assert row.summary()["mean_average_precision"]["value"] == row.mean_average_precision.value


def test_rank_is_a_place_among_walks_and_several_of_one_person_take_several():
    walks = tuple(f"g{number}" for number in range(1, 7))
    row = Row("r", Select(sequences=walks), Select(sequences=("p",)))
    samples = [Sample("a", view=0.0, sequence="p"), Sample("a", view=90.0, sequence="g1")]
    samples += [Sample("x", view=90.0, sequence=walk) for walk in walks]
    protocol = Protocol("toy", "toy", (row,), views="ranked")
    for before, expected in ((6, 0.0), (5, 0.0), (4, 1.0)):  # walks of another person before the mate
        vectors = np.array([[0.0], [before + 0.5], *[[float(number)] for number in range(1, 7)]])
        (found,) = evaluate_ranked(protocol, samples, vectors, lambda p, g: -np.abs(p - g.T), resamples=10)
        assert (found.rank_1.value, found.rank_5.value) == (0.0, expected)
        assert found.mean_average_precision.value == pytest.approx(1 / (before + 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_walk_ranks_are_the_literal_places_with_ties_against_the_mate(seed):
    rng = np.random.default_rng(seed)
    whose = rng.permutation(np.repeat(["a", "b", "c"], 4))
    probe_ids = np.array(["a", "b", "c", "a", "b"])
    scores = rng.integers(4, size=(5, 12)).astype(float)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    scores[4] = np.nan
    comparable = (rng.random(scores.shape) < 0.7) | (np.cumsum(probe_ids[:, None] == whose, axis=1) == 1)
    for probe, got in enumerate(walk_ranks(scores, probe_ids, whose, comparable)):
        there = [(s, w == probe_ids[probe]) for s, w, c in zip(scores[probe], whose, comparable[probe], strict=True)
                 if c and np.isfinite(s)]  # fmt: skip
        ranking = [mate for _, mate in sorted(there, key=lambda pair: (-pair[0], pair[1]))]
        assert got == (ranking.index(True) + 1 if True in ranking else np.inf)


def test_failures_and_strangers_count_in_a_ranking():
    samples = [sample for sample in table() if sample.subject_id != "e" or sample.sequence.endswith("01")]
    vectors = vectors_of(samples, noise=0.01)
    vectors[next(index for index, sample in enumerate(samples) if sample.sequence == "nm-01")] = np.nan
    row = evaluate_ranked(CASIA_B_CROSS_VIEW, samples, vectors, similarity, resamples=50)[0]
    assert row.rank_1.value == row.mean_average_precision.value == pytest.approx(11 / 12)
    assert (row.rank_1.count, row.described, row.nonmated) == (12, 11, 3)
    assert [each.fnir.value for each in row.open_set] == pytest.approx([1 / 12, 1 / 12])


def test_rankings_and_searches_are_not_mixed_up():
    samples = table()
    with pytest.raises(ValueError, match="run it with evaluate"):
        evaluate_ranked(CASIA_B, samples, vectors_of(samples), similarity)
    with pytest.raises(ValueError, match="evaluate_ranked"):
        evaluate(CASIA_B_CROSS_VIEW, samples, vectors_of(samples), lambda vectors, labels: None)
    with pytest.raises(ValueError, match="a row for each"):
        evaluate_ranked(CASIA_B_CROSS_VIEW, samples, vectors_of(samples)[1:], similarity)
    unseen = [replace(sample, view=None) for sample in samples]
    with pytest.raises(ValueError, match="view in degrees"):
        evaluate_ranked(CASIA_B_CROSS_VIEW, unseen, vectors_of(unseen), similarity)
    one_view = table(views=(0.0,))
    with pytest.raises(ValueError, match="another view"):
        evaluate_ranked(CASIA_B_CROSS_VIEW, one_view, vectors_of(one_view), similarity)


def open_set_case(seed, people=12, enrolled=7, each=4):
    rng = np.random.default_rng(seed)
    subjects = np.array([f"s{index:02d}" for index in range(enrolled)])
    probe_ids = np.repeat([f"s{index:02d}" for index in range(people)], each)
    scores = rng.normal(size=(len(probe_ids), enrolled)) + 1.5 * (probe_ids[:, None] == subjects)
    scores[rng.random(len(scores)) < 0.1] = np.nan
    return scores.round(1), probe_ids, subjects, np.isin(probe_ids, subjects)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 0.35, 1.0]))
def test_open_set_values_are_those_of_the_metric(seed, fpir):
    scores, probe_ids, subjects, mated = open_set_case(seed)
    (found,) = rates_of_open_set(scores, probe_ids, subjects, mated, wanted=[fpir], resamples=20)
    expected = fnir_at_fpir(scores, probe_ids, subjects, fpir)
    assert (found.fnir.value, found.fpir.value, found.threshold) == pytest.approx(tuple(expected))
    assert found.fpir.value <= fpir + 1e-9
    assert (found.fnir.count, found.fpir.count) == (28, 20)


def test_open_set_interval_is_the_literal_bootstrap():
    scores, probe_ids, subjects, mated = open_set_case(3)
    (found,) = rates_of_open_set(scores, probe_ids, subjects, mated, wanted=[0.1], resamples=400, seed=5)
    people = np.unique(probe_ids)
    weights = np.random.default_rng(5).multinomial(len(people), np.full(len(people), 1 / len(people)), size=400)
    draws = []
    for weight in weights:
        rows = np.concatenate([np.tile(np.flatnonzero(probe_ids == p), w) for p, w in zip(people, weight, strict=True)])
        if mated[rows].all() or not mated[rows].any():
            continue
        draws.append(fnir_at_fpir(scores[rows], probe_ids[rows], subjects, 0.1).fnir)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found.fnir.low, found.fnir.high) == pytest.approx((low, high))


def test_without_strangers_there_is_no_open_set():
    scores, probe_ids, subjects, mated = open_set_case(0)
    assert rates_of_open_set(scores[mated], probe_ids[mated], subjects, mated[mated]) == ()
    assert rates_of_open_set(scores[~mated], probe_ids[~mated], subjects, mated[~mated]) == ()


def test_walks_are_numbered_by_person_session_and_name():
    samples = [Sample("a", view=view, sequence=walk) for walk in ("1", "2") for view in (0.0, 9.0)] + [Sample("b")]
    keys = Table(samples).walk_keys
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert len(set(keys.tolist())) == 3
