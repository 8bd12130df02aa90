"""The worst found people of `gaitnet evaluate pose`: who is kept, and what is drawn of them."""

from pathlib import Path

import numpy as np
import pytest
from stand_ins import body, moved

from gaitnet.cli.evaluate_pose_pictures import Pictures, shown_in
from gaitnet.cli.evaluate_pose_tally import Tally, slug
from gaitnet.cli.evaluate_pose_worst import ABOVE, OF_A_KIND, OVERALL, SIZE, Worst, contact_sheet, drawn, write_worst
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import crop_affine
from humanpose.skeleton import INDEX


def crowd(count, seed=0):
    """People whose errors are known: the number of each in pixels, all in one direction."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    keypoints = np.stack([body(70, 20, 150)] * count)
    found = keypoints + np.array([[number, 0.0] for number in order])[:, None]
    affines = np.stack([crop_affine(np.array([0.0, 0, 144, 192]), (192, 144), 1.0)] * count)
    crops = np.full((count, 192, 144, 3), 70, np.uint8)
    pictures = Pictures(
        crops, affines, np.zeros(count, bool), keypoints, np.ones((count, 16)), [f"p{one}" for one in order]
    )
    return pictures, found


def test_the_worst_are_kept_whatever_the_order():
    pictures, found = crowd(60)
    tally, worst = Tally(range(16)), Worst()
    for start in range(0, 60, 7):
        part = slice(start, start + 7)
        some = Pictures(*(column[part] for column in pictures[:6]))
        worst.add(some, found[part], tally.add(some, found[part]))
    ranks = worst.ranks()
    assert [worst.cases[place].title for place in ranks[0]] == [f"p{59 - rank}" for rank in range(OVERALL)]
    assert all(len(rank) == OF_A_KIND for rank in ranks[1:])
    assert len(worst.cases) == OVERALL
    grid = 299 / (1.25 * np.ptp(pictures.keypoints[0][:, 1]))
    assert worst.cases[ranks[0][0]].errors[0] == pytest.approx(59 * grid)


def test_a_walker_stands_for_the_moment():
    """Of frames that follow each other the worst is shown; other people in the same frames are shown as well."""
    pictures, found = crowd(6)
    order = [int(owner[1:]) for owner in pictures.owners]
    worst = Worst()
    one = pictures._replace(owners=["walk"] * 6)
    worst.add(one, found, Tally(range(16)).add(one, found))
    assert [case.errors[0] for case in worst.cases] == [max(case.errors[0] for case in worst.cases)]
    assert worst.cases[0].moment == ("walk", order.index(5))
    beside = one._replace(keypoints=moved(one.keypoints, 200))
    worst.add(beside, moved(found, 200), Tally(range(16)).add(beside, moved(found, 200)))
    assert len(worst.cases) == 2


def seen(worst, names, numbers, frame=None, **known):
    """Adds people of those pictures, wrong by those numbers of pixels."""
    keypoints = np.stack([body(70, 20, 150)] * len(names))
    found = keypoints + np.array([[number, 0.0] for number in numbers])[:, None]
    visible, box = np.ones((len(names), 16), bool), np.array([10.0, 20, 130, 170])
    records = [
        PoseRecord(Path("images", name), frame, box + 2 * row, keypoints[row], visible[row], "set", **known)
        for row, name in enumerate(names)
    ]
    nothing = np.zeros(len(names))
    owners = [shown_in(record) for record in records]
    pictures = Pictures(nothing, nothing, nothing, keypoints, visible, owners, records=records)
    worst.add(pictures, found, Tally(range(16)).add(pictures, found))


def test_extracted_frames_are_named_and_follow_each_other_by_their_numbers():
    """Not by their places in a batch: 100 and 103 show one moment, 900 in the next batch another."""
    worst, take = Worst(), {"subject": "S5", "action": "Walking 1", "camera": "54138969"}
    seen(worst, [f"S5_Walking_1.54138969_{number:06d}.jpg" for number in (100, 103)], (3, 4), **take)
    seen(worst, ["S5_Walking_1.54138969_000900.jpg"], (5,), **take)
    assert [case.title for case in worst.cases] == [
        "S5_Walking_1.54138969_000103.jpg", "S5_Walking_1.54138969_000900.jpg",
    ]  # fmt: skip


def test_people_of_one_picture_are_told_apart():
    """However near they stand: in a photograph nobody is seen twice."""
    worst = Worst()
    seen(worst, ["a1.jpg", "a2.jpg", "a2.jpg"], (3, 4, 5))
    assert [case.title for case in worst.cases] == ["a1.jpg", "a2.jpg at 72, 97", "a2.jpg at 74, 99"]
    seen(worst, ["film.mp4", "film.mp4"], (6, 7), frame=12)
    assert worst.cases[-1].title == "set frame 12 at 72, 97"


def test_joints_are_drawn_where_they_are():
    """On a grey crop: the reference's ankle is ringed, the one found is a dot, and a red line joins them."""
    pictures, found = crowd(1)
    found = moved(found, 40)
    worst = Worst()
    worst.add(pictures, found, Tally(range(16)).add(pictures, found))
    (image,) = drawn(worst.cases)
    assert image.shape == (*SIZE, 3)
    ankle, scale = pictures.keypoints[0, INDEX["r_ankle"]], SIZE[0] / 192
    x, y = np.round(scale * (ankle + 0.5) - 0.5).astype(int)
    dot = image[y, x + round(40 * scale)].astype(int)
    assert dot[0] > 200 > dot[2] + 100  # orange, the right one
    line = image[y, x + round(20 * scale)].astype(int)
    assert line[0] > line[1] + 80
    assert (image[y + 20, 10] == 70).all()
    sheet = contact_sheet([image] * 9, ["a"] * 9)
    assert sheet.shape == (2 * (SIZE[0] + ABOVE), 8 * (SIZE[1] + 4), 3)


def test_nobody_found_is_no_worst_case(tmp_path):
    pictures, found = crowd(2)
    found[0] = np.nan
    worst = Worst()
    worst.add(pictures, found, Tally(range(16)).add(pictures, found))
    assert [case.title for case in worst.cases] == [pictures.owners[1]]
    assert write_worst({"none": Worst()}, tmp_path, "f") == []
    assert list(tmp_path.iterdir()) == []
    assert slug("KTH 15 17, as followed") == "kth-15-17-as-followed"
