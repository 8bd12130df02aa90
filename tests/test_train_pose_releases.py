"""Whom the presets on releases learn from, of data sets as released and as prepared."""

import dataclasses

from pose_trees import SIDE, filmed, human36m, picture
from test_train_pose_presets import tiny

from humanpose.datasets.human36m import read_human36m
from humanpose.datasets.prepare import prepare
from train.pose_releases import load_releases


def test_a_prepared_human36m_is_chosen_from_as_the_released_one(tmp_path, capsys):
    """Prepared with all actions and every frame, by videos as by extracted frames: only walking, every third frame."""
    human36m(tmp_path / "h36m")
    prepare(read_human36m(tmp_path / "h36m", None), tmp_path / "cache" / "human36m", "human36m", SIDE)
    config = dataclasses.replace(tiny("human36m"), every=3)
    sets = [load_releases(config, place, tmp_path / "work") for place in (tmp_path, tmp_path / "cache")]
    assert "12 of the 40 people prepared are of Walking, 3 frames or more apart" in capsys.readouterr().err
    released, prepared = (
        [data.prepared[one.path].source_of(one) for one in (*data.photographs, *data.held_out["human36m"])]
        for data in sets
    )
    assert released == prepared
    assert {frame for _, frame in prepared} == {0, 3, 6}
    assert [len(data.photographs) for data in sets] == [9, 9]

    frames = [
        dataclasses.replace(
            one, path=tmp_path / f"{subject}_Walking_1.54138969_{one.frame + 1:06d}.png", frame=None, subject=subject
        )
        for subject in ("S1", "S5")
        for one in filmed(tmp_path, 7)
    ]
    for one in frames:
        picture(one.path, 0)
    prepare(frames, tmp_path / "extracted" / "human36m", "human36m", SIDE)
    data = load_releases(config, tmp_path / "extracted", tmp_path / "work")
    for records in (data.photographs, data.held_out["human36m"]):
        names = [data.prepared[one.path].source_of(one)[0] for one in records]
        assert [name.rpartition("_")[2] for name in names] == ["000001.png", "000004.png", "000007.png"]
