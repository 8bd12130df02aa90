"""The pose task's second opinion on a joint: where it lies in the crop, and what it does to the targets."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from humanpose.augment import IDENTITY
from humanpose.datasets.lsp import LSPET_TRAINED
from humanpose.datasets.record import PoseRecord
from humanpose.heatmaps import encode_keypoints
from humanpose.losses import spatial_cross_entropy
from humanpose.models.mobile import MobilePose
from humanpose.skeleton import INDEX
from train.config import PoseTaskConfig
from train.pose import make_loss
from train.pose_batches import make_sample
from train.pose_data import OPINION, with_opinions

KNEE, WRIST = INDEX["l_knee"], INDEX["r_wrist"]


def photograph(number: int, **rest) -> PoseRecord:
    keypoints, visible = np.full((16, 2), 50, np.float32), np.zeros(16, bool)
    visible[KNEE] = True
    box = np.array([20.0, 10.0, 80.0, 90.0])
    return PoseRecord(Path(f"im{number:05d}.jpg"), None, box, keypoints, visible, "lspet", **rest)


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_opinion_goes_the_way_of_the_annotation(mirrored):
    opinion = np.zeros((16, 3), np.float32)
    opinion[KNEE] = (50, 50, 0.7)
    record = photograph(1, opinion=opinion, walks_left=mirrored)
    drawn = make_sample([record], lambda _: np.zeros((100, 100, 3), np.uint8), (96, 72), IDENTITY)(
        0, np.random.default_rng(0)
    )
    there = INDEX["r_knee"] if mirrored else KNEE
    assert drawn["visible"].nonzero()[0].tolist() == [there]
    np.testing.assert_allclose(drawn["opinion"][there], [*drawn["keypoints"][there], 0.7], rtol=1e-6)
    assert np.count_nonzero(drawn["opinion"][:, 2]) == 1


class Answering(MobilePose):
    """A network that has its answer ready."""

    def __init__(self, logits):
        self.logits = jnp.asarray(logits)

    def __call__(self, images, train=False, lowering="auto", rngs=None):
        return self.logits


def loss_of(logits, batch) -> float:
    return float(make_loss(PoseTaskConfig(sigma=1.0))(Answering(logits), batch, None)[0])


def batch_of(opinion) -> dict[str, np.ndarray]:
    """One 128x96 crop in which the annotator puts the left knee at heat-map pixel (6, 10), x before y."""
    keypoints, visible = np.zeros((1, 16, 2), np.float32), np.zeros((1, 16), np.float32)
    keypoints[0, KNEE], visible[0, KNEE] = (25.5, 41.5), 1
    return {
        "images": np.zeros((1, 128, 96, 3), np.uint8), "keypoints": keypoints, "visible": visible, "opinion": opinion
    }  # fmt: skip


def test_the_best_answer_to_two_opinions_is_a_map_that_weighs_both():
    """Cross entropy is least for the mixture itself, 2 : 1 where the second opinion counts half."""
    opinion = np.zeros((1, 16, 3), np.float32)
    opinion[0, KNEE] = (65.5, 81.5, 0.5)  # heat-map pixel (16, 20)
    batch = batch_of(opinion)
    maps = encode_keypoints(np.array([[[6.0, 10.0]], [[16.0, 20.0]]]), np.ones((2, 1)), (32, 24), "gaussian", 1.0)

    def loss(share: float) -> float:
        logits = np.zeros((1, 32, 24, 16), np.float32)
        logits[0, ..., KNEE] = np.log((1 - share) * maps[0, ..., 0] + share * maps[1, ..., 0] + 1e-9)
        return loss_of(logits, batch)

    losses = {share: loss(share) for share in (0.05, 0.2, 1 / 3, 0.5, 0.8)}
    assert min(losses, key=losses.get) == 1 / 3


def test_an_opinion_stands_in_where_the_annotator_said_nothing():
    opinion = np.zeros((1, 16, 3), np.float32)
    opinion[0, WRIST] = (33.5, 33.5, 0.5)  # heat-map pixel (8, 8)
    right, wrong = np.zeros((1, 32, 24, 16), np.float32), np.zeros((1, 32, 24, 16), np.float32)
    right[0, 8, 8, WRIST] = wrong[0, 20, 8, WRIST] = 5
    assert loss_of(right, batch_of(opinion)) < loss_of(wrong, batch_of(opinion)) - 0.1
    without = batch_of(np.zeros((1, 16, 3), np.float32))
    assert loss_of(right, without) == pytest.approx(loss_of(wrong, without))


def test_samples_without_an_opinion_keep_the_loss_of_one():
    logits = np.random.default_rng(0).normal(size=(1, 32, 24, 16)).astype(np.float32)
    batch = batch_of(np.zeros((1, 16, 3), np.float32))
    targets = encode_keypoints((batch["keypoints"] - 1.5) / 4, batch["visible"], (32, 24), "gaussian", 1.0)
    assert loss_of(logits, batch) == pytest.approx(
        float(spatial_cross_entropy(logits, targets, batch["visible"])), rel=1e-5
    )


def opinions_file(path: Path, rows: int = LSPET_TRAINED) -> Path:
    landmarks = np.zeros((rows, 2, 33, 3), np.float32)
    landmarks[:, :, 11:13, 1] = 0  # shoulders, and the hips 100 pixels below them
    landmarks[:, :, 23:25, 1] = 100
    landmarks[:, 0, 25] = (40, 150, 1)  # left knee: both looks agree to 10 pixels
    landmarks[:, 1, 25] = (50, 150, 1)
    landmarks[:, 0, 16] = (0, 50, 1)  # right wrist: they do not agree
    landmarks[:, 1, 16] = (30, 50, 1)
    presence = np.ones(rows, np.float32)
    presence[1] = 0.1
    np.savez(path, landmarks=landmarks, presence=presence)
    return path


def test_only_what_blazepose_says_twice_counts_and_only_where_it_is_learned_from(tmp_path):
    records = [photograph(number) for number in (1, 2, LSPET_TRAINED + 1)]
    sure, nobody, measured = with_opinions(records, opinions_file(tmp_path / "opinions.npz"))
    np.testing.assert_allclose(sure.opinion[KNEE], [45, 150, OPINION], rtol=1e-6)
    assert sure.opinion[WRIST, 2] == 0
    assert not nobody.opinion[:, 2].any()
    assert measured.opinion is None


@pytest.mark.parametrize("damage", ["missing", "short", "words", "empty", "cut off", "flipped", "array", "letters"])
def test_another_file_is_no_file_of_opinions(tmp_path, damage):
    path = tmp_path / "opinions.npz"
    if damage == "short":
        opinions_file(path, rows=10)
    elif damage == "words":
        path.write_text("no array")
    elif damage == "empty":
        path.touch()
    elif damage in ("cut off", "flipped"):
        whole = bytearray(opinions_file(path).read_bytes())
        whole[2000] ^= 255
        path.write_bytes(whole[:5000] if damage == "cut off" else whole)
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "letters":
        np.savez(path, landmarks=np.full((LSPET_TRAINED, 2, 33, 3), "a"), presence=np.ones(LSPET_TRAINED))
    with pytest.raises(ValueError, match=r"opinions\.npz is not a file of train/blazepose\.py"):
        with_opinions([photograph(1)], path)
