"""The demonstration from end to end, very small and with untrained networks; and the walks it is made of."""

import csv
import json
import re

import jax
import numpy as np
import pytest

from gaitnet.cli.demo import show
from gaitnet.crowd import COLOUR_CONTROLS, GAIT, MOTION_CONTROLS, describe_walks, subject_name, tum_gaid_entries
from gaitnet.demo.plan import ENROLLED, PROTOCOL, DemoConfig, pictured, plan_demo
from gaitnet.demo.run import run, told_best
from gaitnet.evaluation.protocols import TUM_GAID_1, TUM_GAID_2
from gaitnet.evaluation.selection import Sample, Table
from gaitnet.identification.search import Strangers, load_yardstick
from gaitnet.recognizer import GaitRecognizer
from gaitnet.unknown import OpenSet, search_open_set, thresholds_of
from gaitnet.walkers import crossing
from gaitnet.walkers.walks import DEMO, EVALUATION, STRANGERS, Crowd, WalkPlan
from humanpose.skeleton import INDEX
from train.gait_config import GAIT_PRESETS
from train.strangers import make_strangers, plan_strangers

FRAMES = 24


@pytest.fixture(scope="module")
def walks():
    crowd = Crowd(DEMO, FRAMES)
    plans = [WalkPlan(0), WalkPlan(0, take=1, to_left=True), WalkPlan(1, "CL", 1, 54.0)]
    return [crowd.render(plan) for plan in plans]


def test_a_walk_is_drawn_as_planned(walks):
    for walk, to_left in zip(walks, (False, True, False), strict=True):
        assert walk.crops.shape == (FRAMES, 192, 144, 3)
        assert walk.crops.dtype == np.uint8
        assert walk.mirrored is to_left
        assert np.all((walk.affines[:, 0, 0] < 0) == to_left)
        np.testing.assert_allclose(np.diff(walk.times), 0.04)
        inverse = np.linalg.inv(walk.affines[:, :, :2])
        inside = np.einsum("tij,tkj->tki", inverse, walk.keypoints - walk.affines[:, None, :, 2])
        assert np.all((inside > 0) & (inside < (144, 192)))
        assert np.all(inside[:, INDEX["head_top"], 1] < inside[:, INDEX["pelvis"], 1] - 40)
        assert 0.3 < walk.visible.mean() <= 1


def test_a_walk_to_the_left_is_mirrored(walks):
    """Elbows bend forward, so a hand is ahead of its elbow: to the right of the picture, or else to the left."""
    for walk in walks[:2]:
        ahead = np.mean(walk.keypoints[:, INDEX["r_wrist"], 0] - walk.keypoints[:, INDEX["r_elbow"], 0])
        assert (ahead < 0) == walk.mirrored


def test_clothes_and_place_change_with_every_walk(walks):
    for control in ("colours", "surroundings"):
        first, second, third = (getattr(walk, control) for walk in walks)
        assert np.abs(first).max() <= 1
        assert np.abs(first - second).max() > 0.05, "the same person wears the same"
        assert np.abs(first - third).max() > 0.05


def test_equal_seeds_are_equal_pixels(walks):
    again = Crowd(DEMO, FRAMES).render(WalkPlan(0))
    np.testing.assert_array_equal(again.crops, walks[0].crops)
    other = Crowd(DEMO + 1, FRAMES).render(WalkPlan(0))
    assert np.any(other.crops != walks[0].crops)


def test_alike_walkers_still_differ_in_motion():
    crowd = Crowd(DEMO, FRAMES, alike=True)
    first, second = crowd.render(WalkPlan(0)), crowd.render(WalkPlan(3))
    assert np.abs(first.keypoints - second.keypoints).max() > 1
    own = Crowd(DEMO, FRAMES).render(WalkPlan(0))
    assert np.any(own.crops != first.crops)


def test_nobody_of_the_demo_was_trained_on():
    """Keys are what people are drawn from."""

    def keys(seed: int, count: int) -> set[tuple[int, ...]]:
        drawn = jax.vmap(lambda subject: jax.random.fold_in(jax.random.key(seed), subject))(np.arange(count))
        return {tuple(row) for row in np.asarray(jax.random.key_data(drawn)).tolist()}

    crowds = [keys(seed, 300) for seed in (DEMO + 1, EVALUATION, EVALUATION + 1, STRANGERS)]
    trained = [keys(config.seed, config.subjects) for config in GAIT_PRESETS.values()]
    for place, crowd in enumerate(crowds):
        assert len(crowd) == 300
        for other in [*crowds[:place], *trained]:
            assert not crowd & other


def test_the_plan_is_the_protocol():
    entries = plan_demo(DemoConfig())
    assert len(entries) == 20 * 3 * 6
    table = Table([entry.sample for entry in entries])
    for row in PROTOCOL.rows:
        assert row.gallery.mask(table).sum() == 120
        assert row.probe.mask(table).sum() == 60
        assert not (row.gallery.mask(table) & row.probe.mask(table)).any()
    assert len({entry.plan for entry in entries}) == len(entries)
    enrolled = {(e.plan.subject, e.plan.view, e.plan.to_left) for e in entries if e.sample.sequence in ENROLLED}
    assert len(enrolled) == 20 * 3 * 2, "everybody is enrolled from both sides in every view"
    shown = pictured(entries, 12)
    assert len({entries[place].plan.subject for place in shown}) == 12
    assert {entries[place].plan.condition for place in shown} == {"NM", "BP", "CL"}
    assert {entries[place].plan.view for place in shown} == {54.0, 90.0, 126.0}


@pytest.mark.parametrize(("protocol", "later"), [(TUM_GAID_1, False), (TUM_GAID_2, True)])
def test_tum_gaid_walks_fit_their_protocol(protocol, later):
    table = Table([entry.sample for entry in tum_gaid_entries(range(3), later)])
    tested = protocol.test.mask(table)
    assert tested.all()
    for row in protocol.rows:
        assert row.gallery.mask(table).sum() == 12
        assert row.probe.mask(table).sum() == 6


def people_in_space(spread: float, people: int = 10, walks: int = 6, size: int = 16):
    """Walks as points about their person, two of each enrolled."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((people, size))
    samples = [Sample(f"p{person}", sequence=f"n{walk}") for person in range(people) for walk in range(walks)]
    vectors = np.repeat(centres, walks, 0) + spread * rng.standard_normal((people * walks, size))
    return samples, vectors.astype(np.float32)


def enrolled_twice(samples):
    return [sample.subject_id for sample in samples], np.isin([sample.sequence for sample in samples], ["n0", "n1"])


def test_strangers_are_told_where_people_differ():
    samples, vectors = people_in_space(0.05, size=64)  # far from each other: no stranger resembles anybody by chance
    others = Strangers(
        np.random.default_rng(1).standard_normal((200, 64)).astype(np.float32), tuple(map(str, range(200)))
    )
    found = search_open_set(*enrolled_twice(samples), vectors, 5, others)
    assert (~found.enrolled).sum() == 10 * 4, "everybody is left out once"
    assert found.enrolled.sum() == 10 * 4 * 4
    beforehand, tenth, hundredth = thresholds_of(found, others)
    assert "100 other walkers" in beforehand.name, "the other hundred were learned against"
    for each in (beforehand, tenth, hundredth):
        assert each.fnir.value == 0
        assert each.fpir.value <= 0.1
    assert not found.right[~found.enrolled].any()


def test_strangers_are_not_told_where_nobody_differs():
    samples, vectors = people_in_space(50.0)
    found = search_open_set(*enrolled_twice(samples), vectors, 5, None)
    assert found.named is None
    tenth, _ = thresholds_of(found, None)
    assert tenth.fpir.value <= 0.1
    assert tenth.fnir.value > 0.7


def test_who_is_shown_is_who_was_told_most_surely():
    """Not who has the highest score of all, nor who is sometimes taken for another, nor a stranger."""
    subjects = np.array([subject_name(one) for one in (0, 0, 0, 1, 1, 1, 2, 2, 2)])
    enrolled, right = np.arange(9) != 5, ~np.isin(np.arange(9), (5, 6, 7))
    score = np.array([0.2, 9.0, 0.3, 0.5, 0.7, 50.0, 8.0, 8.0, 8.0])
    assert told_best(OpenSet(subjects, enrolled, right, score, None), 3) == 1


def empty_street(seed, subjects, frames, **_):
    yield from np.full((frames, 96, 128, 3), 90, np.uint8)


def test_demo_from_end_to_end(untrained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crossing, "crossing", empty_street)
    config = DemoConfig(walkers=3, views=(90.0,), frames=FRAMES, left_out=2, video_frames=30, pictures=3)
    document = run(untrained, tmp_path / "out", config)
    assert document == json.loads(json.dumps(document, allow_nan=False))
    assert set(document["rank_1"]) == {GAIT, *MOTION_CONTROLS, *COLOUR_CONTROLS}
    for rates in document["rank_1"].values():
        assert set(rates) == {"normal", "backpack", "coat", "second session", "average"}
        assert all(0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1 for rate in rates.values())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "demo.html", "results.json", "searches.csv", "crossing.mp4", "crossing-named.mp4",
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "results.json").read_text())["data"] == "walkers (synthetic)"
    lines = list(csv.DictReader((tmp_path / "out" / "searches.csv").read_text().splitlines()))
    assert len(lines) == 3 * 4

    page = (tmp_path / "out" / "demo.html").read_text()
    assert not re.search(r"https?://", re.sub(r"data:[^\"']*", "", page))
    sources = re.findall(r'(?:src|href|poster)="([^"]{0,40})', page)
    assert len(sources) >= 3 + 4 + 2, "pictures, plots, the video and its poster"
    assert all(source.startswith("data:") for source in sources)
    for text in (
        "second session",
        "single frame",
        "colour only",
        "FNIR",
        "chance",
        "walkers (synthetic)",
        "CMC",
        "DET",
    ):
        assert text in page, text
    assert page.count("<table>") >= 3
    assert "Nobody was found in the video" in page

    show(document)
    printed = capsys.readouterr().out
    assert "walkers (synthetic)" in printed
    assert "backpack" in printed
    assert "%" in printed


def test_describing_needs_walks_that_are_long_enough(untrained):
    with pytest.raises(ValueError, match="24 frames"):
        describe_walks(untrained, Crowd(DEMO, 8), [WalkPlan(0)])


def test_output_that_is_a_file_is_told_before_the_work(untrained, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        run(untrained, tmp_path / "taken")


@pytest.mark.parametrize("wrong", [{"condition": "BG"}, {"view": 200.0}, {"subject": -1}])
def test_plans_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WalkPlan(**{"subject": 0, **wrong})


def test_strangers_for_the_threshold(untrained, tmp_path, monkeypatch):
    assert len(set(plan_strangers(300, 2))) == 600
    monkeypatch.setattr(GaitRecognizer, "load", classmethod(lambda *_: untrained))
    path = make_strangers(tmp_path, subjects=2, walks=1, frames=FRAMES)
    stored = load_yardstick(path.parent, "untrained")
    assert isinstance(stored, Strangers)
    assert stored.vectors.shape == (2, 24)
    assert stored.subject_ids == ("stranger 001", "stranger 002")
