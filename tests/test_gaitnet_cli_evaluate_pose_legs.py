"""Legs and feet of `gaitnet evaluate pose`, by references that somebody looked at one by one."""

import numpy as np
import pytest

from gaitnet.cli.evaluate_pose_legs import Legs, standing
from gaitnet.cli.evaluate_pose_pictures import Pictures
from gaitnet.evaluation.legs import checked, other_leg
from humanpose.datasets.landmarks import read_landmarks


def test_references_looked_at_are_corrected(data_root):
    """Whoever finds the references themselves is right where they are sound, and wrong where they are exchanged."""
    records = read_landmarks(data_root / "clips" / "demo6.reference.json")
    legs = Legs()
    verdicts = [seen.legs for (film, *_), seen in checked().items() if film == "demo6"]
    found = np.stack([record.keypoints for record in records])
    nothing = np.zeros(len(records))
    owners = ["demo6"] * len(records)
    pictures = Pictures(nothing, nothing, nothing, found, nothing, owners, records=records, places=range(len(records)))
    legs.add(pictures, found)
    (every, unknown), (by_eye, _) = legs.right(False), legs.right(True)
    assert every.value == 1
    assert every.count + unknown == len(records)
    clear = [one for one in verdicts if one != "unclear"]
    assert by_eye.count == len(clear)
    assert by_eye.value == pytest.approx(clear.count("sound") / len(clear))
    assert 0.8 < legs.pck(0.2).value < 1
    assert Legs().right(True)[0].count == 0
    assert Legs().pck(0.2).count == 0
    turned = Legs()
    turned.add(pictures, other_leg(found))
    assert turned.right(True)[0].value == pytest.approx(1 - by_eye.value)


def test_standing_feet_are_told_by_the_median_and_by_the_mean_square():
    assert standing([(float("nan"), 5, "a")]) is None
    median, root = standing([(1.0, 10, "a"), (2.0, 10, "a"), (9.0, 20, "b"), (float("nan"), 7, "b")])
    assert median.value == 2
    assert root.value == pytest.approx(np.sqrt((10 + 40 + 20 * 81) / 40))
    assert (median.count, median.subjects) == (3, 2)
