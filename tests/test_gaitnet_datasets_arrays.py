"""USF, OpenGait, Kinect, UCalgary and CMU: what their files hold, the real ones, and hostile and damaged ones."""

import pickle

import numpy as np
import pytest
import scipy.io
from walk_trees import kinect, opengait, ucalgary, usf

from gaitnet.datasets import opengait as opengait_files
from gaitnet.datasets.arrays import load_frames, load_keypoints, load_silhouettes
from gaitnet.datasets.cmu import read_cmu
from gaitnet.datasets.dropped import EMPTY, IGNORED, NAME, OUTSIDER, SAME, DatasetWarning
from gaitnet.datasets.keypoints import COCO, as_body, keypoints_of
from gaitnet.datasets.kinect import missing_of_kinect, read_kinect_walks
from gaitnet.datasets.opengait import condition_of, read_opengait
from gaitnet.datasets.record import Sequence
from gaitnet.datasets.ucalgary import missing_of_ucalgary, read_ucalgary
from gaitnet.datasets.usf import load_usf, missing_of_usf, outsiders, read_usf
from gaitnet.walkers.layouts import make_walkers
from humanpose.skeleton import INDEX


def joints(path):
    return Sequence("a", "NM", "", None, "1", path, kind="keypoints")


def test_usf_samples_are_inverted_and_in_order(tmp_path):
    usf(tmp_path)
    usf(tmp_path, people=(2, 0, 0), session="PrbD.mat")
    dropped = []
    walks = read_usf(tmp_path, dropped)
    assert [(walk.name, walk.condition) for walk in walks] == [
        ("01/gallery/01", "NM"), ("01/gallery/02", "NM"), ("02/gallery/01", "NM"), ("03/gallery/01", "NM"),
        ("02/D/01", "SF"),
    ]  # fmt: skip
    assert [one.kind for one in dropped] == [OUTSIDER] * 3
    assert dropped[0].what == "USF17Gal.mat sample 4"
    for walk, columns in zip(walks, (4, 5, 6, 8, 4), strict=True):
        frames = load_silhouettes(walk)
        assert frames.shape == (10, 32, 22)
        assert set(np.unique(frames)) == {0, 255}
        assert (frames == 255).sum() == 10 * 26 * columns
        assert (frames[:, 4, 5] == 255).all()
    assert outsiders(tmp_path / "PrbD.mat") == 1
    assert "PrbC.mat (C)" in missing_of_usf(walks)
    with pytest.warns(DatasetWarning, match=r"3 left out \(not in the gallery 3\)"):
        read_usf(tmp_path)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"fea3D": np.ones((32, 22, 10), np.uint8)}, "expected fea3D of"),
        ({"fea3D": np.ones((22, 32, 10, 5), np.uint8)}, "expected fea3D of"),
        ({"fea3D": np.full((32, 22, 10, 5), 255, np.uint8)}, "expected 0 .person. and 1"),
        ({"fea3D": np.array([["a"]], object)}, "expected numbers as fea3D"),
        ({"gnd": np.ones((4, 1))}, "one whole number for each of 5 samples"),
        ({"gnd": np.full((5, 1), 1.5)}, "one whole number"),
        ({"gnd": np.full((5, 1), np.nan)}, "one whole number"),
        ({"gnd": np.full((5, 1), -1)}, "people from 0"),
    ],
)
def test_usf_files_of_something_else(tmp_path, changed, why):
    usf(tmp_path, **changed)
    with pytest.raises(ValueError, match=why):
        read_usf(tmp_path, [])


def test_usf_files_that_are_damaged(tmp_path):
    path = usf(tmp_path) / "USF17Gal.mat"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="must be a MATLAB file"):
        read_usf(tmp_path)
    scipy.io.savemat(path, {"other": 1})
    with pytest.raises(ValueError, match="fea3D"):
        load_usf(path)
    with pytest.raises(ValueError, match="cannot read"):
        load_usf(tmp_path / "none.mat")


def test_the_real_usf(data_root):
    dropped = []
    walks = read_usf(data_root / "usf_gait17", dropped)
    counts = {session: sum(walk.session == session for walk in walks) for session in ("gallery", "A", "B", "D")}
    assert counts == {"gallery": 731, "A": 727, "B": 423, "D": 639}
    people = {session: len({walk.subject_id for walk in walks if walk.session == session}) for session in counts}
    assert people == {"gallery": 71, "A": 71, "B": 41, "D": 66}
    assert len(dropped) == 43
    assert outsiders(data_root / "usf_gait17" / "PrbD.mat") == 4  # with the 66, the 70 people of the published probe
    frames = load_silhouettes(walks[0])
    assert 0.2 < (frames > 0).mean() < 0.45
    assert missing_of_usf(walks) == ["PrbC.mat (C)", "PrbE.mat (E)", "PrbF.mat (F)", "PrbG.mat (G)"]


def test_opengait_walkers(tmp_path, lightly_compiled):
    make_walkers(
        tmp_path, "opengait", subjects=2, frames=3, size=(60, 80), conditions=("CL",), seed=4, views=(0.0, 90.0)
    )
    walks = read_opengait(tmp_path)
    assert len(walks) == 8
    assert (walks[0].name, walks[0].condition, walks[0].part) == ("001/cl-01/000", "CL", "")
    assert {walk.part for walk in read_opengait(tmp_path, casia_b_parts=True)} == {"train"}
    for walk in walks:
        masks = load_silhouettes(walk)
        assert masks.shape == (3, 64, 64)
        assert masks.any((1, 2)).all()


def test_opengait_poses(tmp_path):
    poses = np.zeros((5, 17, 3), np.float64)
    poses[..., :2] = np.random.default_rng(0).uniform(10, 90, (5, 17, 2))
    poses[..., 2] = 0.75
    poses[2, 3] = 11, 12, 0
    poses[3, 4, 0] = np.nan
    opengait(tmp_path / "001" / "00-bg" / "camid0" / "a.pkl", poses)
    (walk,) = read_opengait(tmp_path)
    assert (walk.kind, walk.condition, walk.view, walk.name) == ("keypoints", "BG", None, "001/00-bg/camid0")
    found = load_keypoints(walk)
    assert found.joints == COCO
    assert found.keypoints.shape == (5, 17, 2)
    assert [tuple(place) for place in np.argwhere(~found.visible)] == [(2, 3), (3, 4)]
    assert not found.keypoints[~found.visible].any()
    assert found.probability[0, 0] == pytest.approx(0.75)
    body, visible, _ = as_body(found)
    assert visible.sum(1).tolist() == [14] * 5  # neither neck nor head top; an eye and an ear are no joints of ours
    np.testing.assert_allclose(body[0, INDEX["r_ankle"]], poses[0, 16, :2], rtol=1e-6)
    np.testing.assert_allclose(body[0, INDEX["l_hip"]], poses[0, 11, :2], rtol=1e-6)
    np.testing.assert_allclose(body[0, INDEX["pelvis"]], poses[0, 11:13, :2].mean(0), rtol=1e-6)
    opengait(walk.path, poses[..., :2].astype(np.float32))
    assert load_keypoints(walk).visible.sum() == 5 * 17 - 1
    with pytest.raises(ValueError, match=r"expected uint8 silhouettes \(time, height, width\), got float32"):
        opengait_files.load_silhouettes(walk.path)


class Attack:
    def __reduce__(self):
        return (open, ("was-run", "w"))


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opengait(tmp_path / "tree" / "001" / "nm-01" / "000" / "000.pkl", np.zeros((2, 64, 64), np.uint8))
    bad = tmp_path / "tree" / "001" / "nm-01" / "090" / "090.pkl"
    bad.parent.mkdir()
    bad.write_bytes(pickle.dumps([Attack()]))
    walks = read_opengait(tmp_path / "tree")
    assert len(walks) == 2  # reading looks at names
    with pytest.raises(ValueError, match="it was not run"):
        load_silhouettes(walks[1])
    array = np.empty(1, object)
    array[0] = Attack()
    bad.write_bytes(pickle.dumps(array))
    with pytest.raises(ValueError, match="it was not run"):
        load_silhouettes(walks[1])
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((0, 64, 64), np.uint8), "without frames"),
        (np.zeros((3, 64), np.uint8), "expected uint8 silhouettes"),
        (np.zeros((3, 0, 64), np.uint8), "expected uint8 silhouettes"),
        (np.zeros((3, 64, 64), np.float32), "expected uint8 silhouettes"),
        (np.zeros((1, 2, 3000), np.uint8), "expected uint8 silhouettes"),
    ],
)
def test_pickles_of_something_else(tmp_path, array, why):
    path = opengait(tmp_path / "a.pkl", array)
    with pytest.raises(ValueError, match=why):
        opengait_files.load_silhouettes(path)
    path.write_bytes(pickle.dumps({"frames": 3}))
    with pytest.raises(ValueError, match="expected an array, got dict"):
        opengait_files.load_silhouettes(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="pickle"):
        opengait_files.load_keypoints(path)


def test_several_pickles_of_a_walk(tmp_path):
    folder = tmp_path / "001" / "nm-01" / "000"
    opengait(folder / "0_pose.pkl", np.zeros((3, 17, 3), np.float32))
    opengait(folder / "1_sil.pkl", np.zeros((4, 64, 64), np.uint8))
    (folder / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"which: .* 0_pose\.pkl and 1_sil\.pkl; be more exact"):
        read_opengait(tmp_path)
    dropped = []
    (walk,) = read_opengait(tmp_path, which="*sil*", dropped=dropped)
    assert [one.kind for one in dropped] == [NAME]
    with pytest.raises(ValueError, match=r"4 frames, 0_pose\.pkl beside it 3"):
        load_silhouettes(walk)
    opengait(folder / "0_pose.pkl", np.zeros((4, 17, 3), np.float32))
    assert len(load_silhouettes(walk)) == 4


def test_opengait_oddities(tmp_path):
    opengait(tmp_path / "001" / "nm-01" / "018" / "018.pkl", np.zeros((2, 64, 64), np.uint8))
    (tmp_path / "001" / "nm-01" / "036").mkdir()
    (tmp_path / "001" / "nm-01" / "054").mkdir()
    (tmp_path / "001" / "nm-01" / "054" / "054.pkl").touch()
    dropped = []
    assert len(read_opengait(tmp_path, dropped=dropped)) == 1
    assert [one.kind for one in dropped] == [EMPTY, EMPTY]
    opengait(tmp_path / "anna" / "nm-01" / "018" / "018.pkl", np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(ValueError, match="expected people of three digits, got 'anna'"):
        read_opengait(tmp_path, casia_b_parts=True, dropped=[])
    opengait(tmp_path / "001" / "nm-01" / "18" / "18.pkl", np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(ValueError, match="got two"):
        read_opengait(tmp_path, dropped=[])
    assert [condition_of(name) for name in ("nm-01", "00-cl", "bg01", "00", "unm")] == ["NM", "CL", "BG", "", ""]


def test_the_real_opengait_pickle(data_root):
    (walk,) = read_opengait(data_root / "silhouettes" / "opengait")
    assert (walk.name, walk.kind) == ("001/nm-01/000", "silhouettes")
    assert load_silhouettes(walk).shape == (10, 64, 64)


def test_kinect_walks(tmp_path):
    kinect(tmp_path / "Person001" / "10.txt")
    path = kinect(tmp_path / "Person001" / "2.txt")
    (tmp_path / "Person001" / "notes.txt").write_text("x")
    (tmp_path / "Person001" / "3.txt").touch()
    (tmp_path / "Somebody").mkdir()
    dropped = []
    walks = read_kinect_walks(tmp_path, dropped)
    assert [walk.name for walk in walks] == ["001/2", "001/10"]
    assert sorted(one.kind for one in dropped) == [EMPTY, NAME, NAME]
    found = load_keypoints(walks[0])
    assert (found.keypoints.shape, found.rate, found.visible.all()) == ((3, 20, 3), 30.0, True)
    np.testing.assert_allclose(found.keypoints[2, found.joints.index("head")], [2.2, 0, 1], atol=1e-6)
    _, visible, _ = as_body(found)
    assert visible.all()
    path.write_text("\n".join(path.read_text().splitlines()[:-3]))
    with pytest.raises(ValueError, match="frames of 20 joints"):
        load_keypoints(walks[0])
    kinect(tmp_path / "Person001" / "02.txt")
    with pytest.raises(ValueError, match="got two"):
        read_kinect_walks(tmp_path, [])


def test_the_real_kinect_walks(data_root):
    walks = read_kinect_walks(data_root / "kinect_gait")
    assert (len(walks), len({walk.subject_id for walk in walks})) == (29, 6)
    assert missing_of_kinect(walks) == ["people: 6 of 164"]
    found = load_keypoints(walks[0])
    assert found.keypoints.shape == (622, 20, 3)
    body, visible, _ = as_body(found)
    assert visible.all()
    assert (body[:, INDEX["head_top"], 2] > body[:, INDEX["r_ankle"], 2]).all()  # z is up


def test_ucalgary(tmp_path):
    places = np.random.default_rng(3).uniform(0.5, 2, (4, 18, 3)).round(4)
    places[1, 11] = 0
    ucalgary(tmp_path, 1, 1, "N", places)
    ucalgary(tmp_path, 10, 3, "AR")
    ucalgary(tmp_path, 12, 1, "N", places)  # somebody else's file again
    ucalgary(tmp_path, 1, 7, "OA")
    ucalgary(tmp_path, 1, 2, "AL")  # run 2 is normal
    ucalgary(tmp_path, 1, 5, "AL").write_text("")
    (tmp_path / "sub1" / "Run6").mkdir()
    ucalgary(tmp_path, 1, 4, "AR").rename(
        tmp_path / "sub10" / "Run3" / "subject1_Seq_4_Gen_F_GeometricPositions_AR.csv"
    )
    dropped = []
    walks = read_ucalgary(tmp_path, dropped)
    assert [(walk.name, walk.condition, walk.view) for walk in walks] == [
        ("01/1/000", "NM", 0.0), ("10/3/000", "AR", 0.0),
    ]  # fmt: skip
    assert sorted(one.kind for one in dropped) == [EMPTY, EMPTY, EMPTY, SAME, IGNORED, NAME, NAME]
    assert missing_of_ucalgary(walks) == ["people: 2 of 28", "runs: 2 of 12 of these people"]
    found = load_keypoints(walks[0])
    assert (found.keypoints.shape, found.joints[0], found.joints[11]) == ((4, 18, 3), "footleft", "head")
    np.testing.assert_allclose(found.keypoints[0, 5], places[0, 5, [2, 0, 1]], rtol=1e-6)  # z, x, y of the sensor
    assert [tuple(place) for place in np.argwhere(~found.visible)] == [(1, 11)]
    body, visible, _ = as_body(found)
    assert not visible[1, INDEX["head_top"]]
    np.testing.assert_allclose(body[0, INDEX["l_knee"]], places[0, 2, [2, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: "", "names 18 joints"),
        (lambda text: text.replace("Knee Left", "Knee Right", 1), "names 18 joints"),
        (lambda text: text.splitlines()[0], "1 to 100,000 frames in"),
        (lambda text: text[:-200], "54 numbers of metres in frame 5"),
        (lambda text: text.replace("0.5\n", "0.5\nnan", 1), "in frame 2"),
        (lambda text: text.replace("0.5\n", "0.5\n99", 1), "in frame 2"),
        (lambda text: text.replace("0.5\n", "0.5\nx", 1), "in frame 2"),
    ],
)
def test_ucalgary_files_that_are_damaged(tmp_path, change, why):
    path = ucalgary(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=why):
        load_keypoints(joints(path))


def test_the_real_ucalgary(data_root):
    dropped = []
    walks = read_ucalgary(data_root / "ucalgary_kinect", dropped)
    assert (len(walks), len({walk.subject_id for walk in walks})) == (113, 19)
    assert [one.kind for one in dropped] == [IGNORED] * 5 + [SAME] * 7
    assert missing_of_ucalgary(walks) == ["people: 19 of 28", "runs: 113 of 114 of these people"]
    found = load_keypoints(walks[0])
    assert found.keypoints.shape == (120, 18, 3)
    assert found.keypoints[0, 8, 0] - found.keypoints[-1, 8, 0] > 1.5  # towards the sensor
    assert (found.keypoints[:, 11, 2] > found.keypoints[:, 1, 2]).all()
    assert sum(int((~load_keypoints(walk).visible).sum()) for walk in walks if walk.subject_id == "05") == 31


def test_cmu_as_amc_and_twice(tmp_path):
    (tmp_path / "subjects" / "07").mkdir(parents=True)
    for name in ("07_01.amc", "07.asf", "07_02.amc"):
        (tmp_path / "subjects" / "07" / name).touch()
    assert [walk.name for walk in read_cmu(tmp_path)] == ["07/01", "07/02"]
    (tmp_path / "subjects" / "07" / "07_02.bvh").touch()
    with pytest.raises(ValueError, match="one walk called 07/02, got two"):
        read_cmu(tmp_path)


def test_an_amc_clip_is_loaded(tmp_path):
    from test_gaitnet_walkers_asf import write_doll

    write_doll(tmp_path, [[3, 17, 5, 0, 0, 0]] * 20)
    (walk,) = read_cmu(tmp_path)
    assert (walk.name, walk.path.suffix) == ("07/01", ".amc")
    found = load_keypoints(walk)
    assert (found.keypoints.shape, found.rate) == ((20, 23, 3), 120.0)
    body, visible, _ = as_body(found)
    assert visible.all()
    assert (body[:, INDEX["head_top"], 2] > body[:, INDEX["pelvis"], 2]).all()


def test_the_real_cmu(data_root):
    walk = next(walk for walk in read_cmu(data_root / "cmu_walk") if walk.name == "07/01")
    found = load_keypoints(walk)
    assert found.rate == pytest.approx(120, rel=1e-3)
    body, visible, _ = as_body(found)
    assert visible.all()
    assert 1.2 < (body[:, INDEX["head_top"], 2] - body[:, INDEX["r_ankle"], 2]).min() < 2


def test_loaders_refuse_other_kinds(tmp_path):
    with pytest.raises(ValueError, match="expected one kept as keypoints"):
        load_keypoints(Sequence("a", "NM", "", None, "1", tmp_path))
    with pytest.raises(ValueError, match=r"ends in \.pkl"):
        load_keypoints(joints(tmp_path / "a.zip"))
    with pytest.raises(ValueError, match="expected one kept as frames"):
        next(load_frames(joints(tmp_path)))


def test_joints_that_no_skeleton_has_are_missing():
    found = keypoints_of(np.ones((2, 1, 3)), ("tail",), None, np.zeros((2, 1), bool))
    _, visible, probability = as_body(found)
    assert not visible.any()
    assert not probability.any()
