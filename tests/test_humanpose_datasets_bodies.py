"""Whole data sets of bodies, and the same in another order of joints or axes: made here, and the real ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from humanpose.datasets.bodies import unlike_bodies, untold
from humanpose.datasets.check import AXES, ORDER, check_people, require_people
from humanpose.datasets.lsp import read_lsp
from humanpose.datasets.mpii import read_mpii
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import FLIP, INDEX

LENGTHS = {
    "pelvis": (None, 0), "thorax": ("pelvis", 50), "upper_neck": ("thorax", 10), "head_top": ("upper_neck", 22),
    "r_hip": ("pelvis", 10), "l_hip": ("pelvis", 10), "r_shoulder": ("thorax", 16), "l_shoulder": ("thorax", 16),
    "r_knee": ("r_hip", 40), "l_knee": ("l_hip", 40), "r_ankle": ("r_knee", 40), "l_ankle": ("l_knee", 40),
    "r_elbow": ("r_shoulder", 28), "l_elbow": ("l_shoulder", 28), "r_wrist": ("r_elbow", 25),
    "l_wrist": ("l_elbow", 25),
}  # fmt: skip
"""Joint -> what it hangs from, and how far from it."""


def bodies(count=250, seed=0):
    """People whose bones point about the way they do in somebody upright, off by some tens of degrees in space."""
    rng = np.random.default_rng(seed)
    places = {"": np.zeros((count, 3))}
    for name, (parent, length) in LENGTHS.items():
        up = -1 if name in ("thorax", "upper_neck", "head_top") else 1
        side = {"r": -1.0, "l": 1.0}[name[0]] if name[2:] in ("hip", "shoulder") else 0.0
        way = np.array([side, 0.0 if side else up, 0.0]) + rng.normal(0, 0.35, (count, 3))
        way *= length / np.linalg.norm(way, axis=-1, keepdims=True)
        places[name] = places[parent or ""] + way
    return 200 + np.stack([places[name][:, :2] for name in INDEX], axis=1)


def records(keypoints, visible=None):
    box = np.array([0, 0, 400, 400], np.float32)
    seen = np.ones(16, bool) if visible is None else visible
    return [
        PoseRecord(Path(f"{row}.jpg"), None, box, one.astype(np.float32), seen, "made")
        for row, one in enumerate(keypoints)
    ]


def kinds(people):
    return {one.kind for one in check_people(people)} & {ORDER, AXES}


def test_bodies_are_bodies_from_every_side():
    for seed in range(3):
        assert kinds(records(bodies(seed=seed))) == set()
    narrow = (bodies() - 200) * [0.15, 1] + 200  # in profile
    assert kinds(records(narrow)) == set()
    assert kinds(records(bodies(), np.isin(np.arange(16), [INDEX["r_ankle"], INDEX["r_knee"]]))) == set()


@pytest.mark.parametrize(
    "order",
    [list(range(16))[::-1], np.roll(np.arange(16), 1), [2, 1, 0, *range(3, 16)], [*range(8), 9, 8, *range(10, 16)]],
)
def test_joints_in_another_order_are_refused(order):
    people = records(bodies()[:, order])
    assert ORDER in kinds(people)
    with pytest.raises(ValueError, match=r"no bodies, .*the joints stand in another order .*expected"):
        require_people(people)
    assert kinds(people[:40]) == set()  # of a few, nothing can be said


EXCHANGED = (("elbow", "wrist"), ("shoulder", "elbow"), ("shoulder", "wrist"), ("knee", "ankle"), ("hip", "knee"))


def exchanged(keypoints, one, other):
    """The same with two joints of either side exchanged, as a list of names in another order has them."""
    order = np.arange(16)
    for side in "rl":
        pair = [INDEX[f"{side}_{one}"], INDEX[f"{side}_{other}"]]
        order[pair] = order[pair[::-1]]
    return keypoints[:, order]


@pytest.mark.parametrize("pair", EXCHANGED)
def test_two_joints_of_a_limb_exchanged_are_refused(pair):
    assert ORDER in kinds(records(exchanged(bodies(), *pair)))


def test_of_a_few_people_it_is_said_that_nothing_can_be_told():
    everything = np.ones((250, 16), bool)
    assert untold(everything) == []
    (trunks,) = untold(everything[:199])
    assert "x and y are exchanged, or y is counted from below: 199 show their trunk, 200 are needed" in trunks
    order, _ = untold(everything[:49])
    assert "the right order: as few as 49 have those that are compared, 50 are needed" in order
    headless = everything.copy()
    headless[:, [INDEX["head_top"], INDEX["upper_neck"]]] = False  # joints that nobody has stand in no order
    assert untold(headless) == []
    headless[:20] = True  # and those that few have cannot be told
    assert "as few as 20 have" in untold(headless)[0]


def test_exchanged_and_turned_axes_are_refused():
    assert kinds(records(bodies()[..., ::-1])) == {AXES}
    assert kinds(records(400 - bodies())) == {AXES}
    mirrored = bodies() * [-1, 1] + [400, 0]
    assert kinds(records(mirrored[:, FLIP])) == set()
    with pytest.raises(ValueError, match=r"trunks lie, .*are x and y exchanged"):
        require_people(records(bodies()[..., ::-1]))


def of_joints(folder, joints):
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})
    return read_lsp(folder)


def test_the_real_sets_and_their_mistakes(data_root, tmp_path):
    for name in ("lsp", "lspet"):
        assert kinds(read_lsp(data_root / name)) == set()
        joints = scipy.io.loadmat(data_root / name / "joints.mat")["joints"]
        axis, pair = (0, 1) if name == "lspet" else (1, 0)
        assert ORDER in kinds(of_joints(tmp_path, np.flip(joints, axis)))
        people = read_lsp(data_root / name)
        joints_of = np.stack([one.keypoints for one in people])
        seen = np.stack([one.visible for one in people])
        for limb in EXCHANGED:
            lengths, _ = unlike_bodies(exchanged(joints_of, *limb), exchanged(seen, *limb))
            assert any(" over " in sentence for sentence in lengths), limb
        place = [slice(None)] * 3
        place[pair] = [1, 0, 2]
        assert kinds(of_joints(tmp_path, joints[tuple(place)])) == {AXES}
    people = read_mpii(data_root / "mpii")
    assert kinds(people) == set()
    for start in range(0, len(people), 300):  # parts of it as well
        assert kinds(people[start : start + 300]) == set()
    assert kinds([replace(one, keypoints=one.keypoints[::-1].copy(), visible=one.visible[::-1].copy())
                  for one in people]) >= {ORDER}  # fmt: skip


def test_degenerate_people_are_no_trouble():
    nobody = np.zeros((300, 16, 2))
    assert unlike_bodies(nobody, np.zeros((300, 16), bool)) == ([], [])
    assert unlike_bodies(nobody, np.ones((300, 16), bool))[0]
