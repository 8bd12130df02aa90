"""Legs and standing feet of made-up walkers whose every joint is known, and the list of references looked at."""

import json
from itertools import chain

import numpy as np
import pytest

from gaitnet.evaluation.legs import ANKLES, KNEES, Checked, checked, jitter, legs_right, other_leg, stances, walks
from humanpose.skeleton import INDEX

RATE = 25.0
STEP = 12
"""Frames that each foot stands."""


def walk(count=48, pan=0.0, start=0, seed=0):
    """Somebody 100 pixels tall who walks to the right: one foot stands, the other swings, in turns of 12 frames.

    `pan` pixels a frame is what the camera turns after the walker.
    """
    keypoints = np.zeros((count, 16, 2))
    frames = np.arange(count) + start
    for frame in range(count):
        turn, part = divmod(frame, STEP)
        body = 40 + 2.5 * frame
        for leg in (0, 1):
            stands = turn % 2 == leg
            planted = 40 + 2.5 * STEP * (turn + 0.5)
            ankle = planted if stands else planted + 60 * (part / STEP - 0.5)
            keypoints[frame, ANKLES[leg]] = ankle, 95
            keypoints[frame, KNEES[leg]] = (ankle + body) / 2, 70
        for name, height in (("hip", 50), ("shoulder", 20)):
            keypoints[frame, [INDEX[f"{side}_{name}"] for side in "rl"]] = body, height
    keypoints[..., 0] -= pan * np.arange(count)[:, None]
    middle = 40 + (2.5 - pan) * np.arange(count)
    boxes = np.stack([middle - 20, np.zeros(count), middle + 20, np.full(count, 100.0)], axis=1)
    return frames, keypoints, np.ones((count, 16), bool), boxes


def test_legs_that_are_exchanged_are_told():
    _, keypoints, visible, _ = walk()
    noise = np.random.default_rng(0).normal(0, 2, keypoints.shape)
    apart = np.abs(keypoints[:, ANKLES[0], 0] - keypoints[:, ANKLES[1], 0]) > 10
    assert (legs_right(keypoints + noise, keypoints, visible)[apart] == 1).all()
    assert (legs_right(other_leg(keypoints) + noise, keypoints, visible)[apart] == 0).all()
    assert np.array_equal(other_leg(other_leg(keypoints)), keypoints)
    arms = np.array([INDEX[f"{side}_wrist"] for side in "rl"])
    assert np.array_equal(other_leg(keypoints)[:, arms], keypoints[:, arms])


def test_a_pair_of_which_one_is_hidden_does_not_count():
    _, keypoints, visible, _ = walk(3)
    found = keypoints.copy()
    found[:, ANKLES] = keypoints[:, ANKLES[::-1]] + 200  # far off, and the wrong way round
    visible[0, ANKLES[0]] = False  # the knees alone decide
    visible[1, [ANKLES[0], KNEES[0]]] = False
    found[2] = np.nan
    told = legs_right(found, keypoints, visible)
    assert told[0] == 1
    assert np.isnan(told[1:]).all()


def test_two_walkers_of_a_film_are_two_walks():
    one, other = walk(30), walk(30)
    frames = np.concatenate([one[0], other[0]])
    boxes = np.concatenate([one[3], other[3] + [150, 0, 150, 0]])
    order = np.random.default_rng(0).permutation(60)
    found = walks(frames[order], boxes[order])
    assert sorted(sorted(order[members] // 30) for members in found) == [[0] * 30, [1] * 30]
    assert all((np.diff(frames[order][members]) == 1).all() for members in found)
    late = np.concatenate([one[0][:10], one[0][20:]])  # ten frames without a reference
    assert len(walks(late, np.delete(one[3], np.s_[10:20], axis=0))) == 2


def test_every_foot_that_stands_is_found_and_no_other():
    frames, keypoints, visible, boxes = walk()
    found = stances(frames, keypoints, visible, boxes, RATE)
    assert sorted((int(one.members[0]) // STEP % 2, len(one.members) // 5) for one in found) == [
        (0, 2), (0, 2), (1, 2), (1, 2),
    ]  # fmt: skip
    assert all(one.joint == ANKLES[int(one.members[0]) // STEP % 2] for one in found)
    assert stances(*walk(pan=4.0), RATE) == []  # before a camera that turns nothing rests


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_jitter_is_what_was_put_in(scale):
    frames, keypoints, visible, boxes = walk()
    keypoints, boxes = scale * keypoints, scale * boxes
    (first, *_) = stances(frames, keypoints, visible, boxes, RATE)
    assert jitter(first, keypoints, keypoints, boxes) == pytest.approx(0, abs=1e-9)
    drifting = keypoints + scale * 0.4 * frames[:, None, None]
    assert jitter(first, drifting, keypoints, boxes) == pytest.approx(0, abs=1e-9)
    shaking = keypoints.copy()
    shaking[:, :, 0] += scale * np.where(frames % 2, 1.0, -1.0)[:, None]
    told = jitter(first, shaking, keypoints, boxes)
    assert told == pytest.approx(1.92, abs=0.05)  # a pixel of a person of 100 is 1.92 of one of 192
    assert jitter(first, other_leg(shaking), keypoints, boxes) == pytest.approx(told)  # exchanged throughout
    jumping = np.where((frames % 6 == 0)[:, None, None], other_leg(keypoints), keypoints)
    assert jitter(first, jumping, keypoints, boxes) > 5
    lost = keypoints.copy()
    lost[first.members[2]] = np.nan
    assert np.isnan(jitter(first, lost, keypoints, boxes))


def test_enough_references_were_looked_at():
    verdicts = checked()
    clear = [key for key, seen in verdicts.items() if seen.legs != "unclear"]
    assert len(verdicts) == 270
    assert len(clear) >= 200
    assert {film for film, *_ in clear} >= {"demo1", "demo2", "demo4", "demo6"}
    assert {film[:8] for film, *_ in clear if film.startswith("person")} == {
        f"person{who}" for who in ("15", "17", "18", "19", "24")
    }


def test_the_list_names_frames_of_the_references(data_root):
    from importlib import resources

    from humanpose.datasets.landmarks import read_landmarks

    told = json.loads(resources.files("gaitnet.evaluation").joinpath("legs.json").read_text("utf-8"))["films"]
    for film, verdicts in told.items():
        folder = "clips" if film.startswith("demo") else "kth_walking"
        records = read_landmarks(data_root / folder / f"{film}.reference.json")
        wrong = verdicts.pop("wrong", [])
        places = list(chain.from_iterable(verdicts.values()))
        assert len({place for _, place in places}) == len(places)
        assert all(records[place].frame == frame for frame, place in places), film
        for _, place in chain(verdicts.get("sound", []), verdicts.get("exchanged", [])):
            assert any(records[place].visible[both].all() for both in (KNEES, ANKLES)), (film, place)
        for frame, place, *names in wrong:
            record, seen = records[place], checked()[film, frame, place]
            assert (frame, seen.legs != "unclear") == (record.frame, True)
            joints, visible = seen.put_right(record.keypoints, record.visible)
            lost = sum(INDEX[name] not in KNEES + ANKLES for name in names)
            arms = np.setdiff1d(np.arange(16), KNEES + ANKLES)
            assert record.visible[arms].sum() - visible[arms].sum() == lost
            assert not visible[[INDEX[name] for name in names]].any()
            assert set(map(tuple, joints)) == set(map(tuple, record.keypoints))


def test_a_reference_is_put_right_by_what_was_seen():
    keypoints = np.arange(32.0).reshape(16, 2)
    visible = np.ones(16, bool)
    visible[KNEES[0]] = False
    joints, seen = Checked("exchanged", [INDEX["l_wrist"]]).put_right(keypoints, visible)
    assert np.array_equal(joints[ANKLES], keypoints[ANKLES[::-1]])
    assert np.array_equal(joints[KNEES], keypoints[KNEES[::-1]])
    # the knee that was not to be seen is the other one now
    assert np.flatnonzero(~seen).tolist() == sorted([KNEES[1], INDEX["l_wrist"]])
    same, sees = Checked("sound", []).put_right(keypoints, visible)
    assert np.array_equal(same, keypoints)
    assert np.array_equal(sees, visible)
