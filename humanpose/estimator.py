"""HumanPoseNN as its user holds it: images in, pose features, heat maps or joints out."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped, UInt8

from humanpose import checkpoint
from humanpose.heatmaps import decode_joint_maps, elsewhere, heatmap_to_crop
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.network import Decoding, PoseNetwork
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.preprocess import SIZE, crop, crop_affine, to_image
from humanpose.skeleton import FLIP

DEFAULT = "pose"
"""Name of the checkpoint that ships with the package."""

BUCKETS = (1, 8, 32)
"""Batch sizes that are compiled; others are cut into these and the rest padded, so that none of them recompiles."""

Images: TypeAlias = (
    UInt8[np.ndarray, "image_height image_width 3"]
    | UInt8[np.ndarray, "image image_height image_width 3"]
    | Sequence[np.ndarray]
)


class Joints(NamedTuple):
    """Joints of some people: `keypoints` (person, joint, xy) in pixels and `probability` (person, joint) in [0, 1].

    Every joint has a position; where `probability` is small it is a guess.
    """

    keypoints: Float[np.ndarray, "person joint 2"]
    probability: Float[np.ndarray, "person joint"]


class Places(NamedTuple):
    """Where joints are, and where else each may be: what the map holds besides the first place."""

    first: Joints
    second: Joints


class HumanPoseNN:
    """A pose network with its crops, its decoding and its compiled batch sizes.

    Args:
        model: any `nnx.Module` with `forward(images) -> (joint_maps, pose_features)`; it is copied, and used for
            inference.
        size: (height, width) of the crops it takes, in pixels.
        decode: joint maps, decoding -> (keypoints in heat-map pixels, probability); the default is for softmax maps,
            `heatmaps.decode_heatmaps` is for sigmoid maps.
        decoding: how `decode` reads joints off their maps, "argmax" or "subpixel".
        offset: how the maps' pixels lie on the crop's, as `heatmaps.heatmap_to_crop` takes it.
        apart: heat-map pixels between the first place of a joint and the second one.
        flip_test: average the joint maps with those of the mirrored crop: twice the work; on photographs a little more
            accurate, on films of walkers not, of whom the shipped weights learned the right side as the near one. Pose
            features stay those of the crop itself.
        sha256: of the weights, where they came from a checkpoint.
    """

    def __init__(
        self,
        model: nnx.Module,
        size: tuple[int, int] = SIZE,
        decode: Callable[[Array, Decoding], tuple[Array, Array]] = decode_joint_maps,
        flip_test: bool = False,
        sha256: str = "",
        offset: float = 0.5,
        apart: float = 3.5,
        decoding: Decoding = "subpixel",
    ) -> None:
        self.size = size
        self.sha256 = sha256
        self.flip_test = flip_test
        self.decoding = decoding
        graph, state = nnx.split(model)
        # A copy, so that switching dropout and batch statistics off does not reach into a training run.
        inference = nnx.merge(graph, state)
        inference.eval()
        graph, self._state = nnx.split(inference)

        def forward(state: Any, crops: Array) -> tuple[Array, Array]:
            network: Any = nnx.merge(graph, state)
            maps, features = network.forward(crops)
            if flip_test:
                mirrored = network.forward(crops[:, :, ::-1])[0]
                maps = (maps + mirrored[:, :, ::-1][..., FLIP]) / 2
            return maps, features

        def describe(state: Any, crops: Array) -> tuple[Array, ...]:
            maps, features = forward(state, crops)
            first, sure = decode(maps, decoding)
            second, less_sure = decode(elsewhere(maps, first, apart), decoding)
            shape = (maps.shape[1], maps.shape[2])
            places = (jnp.asarray(heatmap_to_crop(place, size, shape, offset)) for place in (first, second))
            return *places, sure, less_sure, features

        self._forward = jax.jit(forward)
        self._describe = jax.jit(describe)

    @classmethod
    def load(
        cls,
        directory_or_name: str | Path | None = None,
        flip_test: bool = False,
        decoding: Decoding | None = None,
    ) -> "HumanPoseNN":
        """Load the pose network of a checkpoint: a folder, the name of one that ships, or the default one.

        `flip_test` as above; `decoding` says how a joint's place is read off its map (`heatmaps.decode_joint_maps`),
        None as the network is meant to be read.
        Raises `checkpoint.CheckpointError` where it is missing, damaged, or not a pose checkpoint.
        """
        folder = checkpoint.find(DEFAULT if directory_or_name is None else directory_or_name)
        model: PoseNetwork
        match checkpoint.network_of(folder):
            case "MobilePose" | None:
                model, sha256 = _mobile(folder)
            case "InceptionResNet":
                model, sha256 = checkpoint.load_model(
                    folder, InceptionResNetConfig, lambda config: InceptionResNet(config, rngs=nnx.Rngs(0))
                )
            case "PartDetector":
                model, sha256 = checkpoint.load_model(
                    folder, PartDetectorConfig, lambda config: PartDetector(config, rngs=nnx.Rngs(0))
                )
            case other:
                raise checkpoint.CheckpointError(
                    f"{folder} holds the network {other}, which finds no joints: name the folder of a MobilePose, an "
                    "InceptionResNet or a PartDetector"
                )
        return cls.of(model, flip_test, sha256, decoding)

    @classmethod
    def of(
        cls,
        model: PoseNetwork,
        flip_test: bool = False,
        sha256: str = "",
        decoding: Decoding | None = None,
    ) -> "HumanPoseNN":
        """Take one of the pose networks here, with the crops it wants and its own way of reading its maps.

        Joints of the two original networks are the original's to the digit, in a crop of their size.
        """
        chosen = decoding or model.decoding
        return cls(model, model.size, model.decode, flip_test, sha256, model.offset, model.apart, chosen)

    def forward(
        self, crops: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Float[np.ndarray, "batch map_height map_width joint"], Float[np.ndarray, "batch grid grid channel"]]:
        """Run crops that already have the network's `size` -> (joint maps, pose features)."""
        maps, features = self._batched(self._forward, crops)
        return maps, features

    def describe(
        self, crops: UInt8[np.ndarray, "batch height width 3"]
    ) -> tuple[Places, Float[np.ndarray, "batch grid grid channel"]]:
        """Run crops that already have the network's `size` -> (places in CROP pixels, pose features), in one pass."""
        first, second, sure, less_sure, features = self._batched(self._describe, crops)
        return Places(Joints(first, sure), Joints(second, less_sure)), features

    def features(self, images: Images) -> Float[np.ndarray, "batch grid grid channel"]:
        """Pose features of images of one person each, of any size: the whole picture is fitted into the crop."""
        return self.forward(self._fit(images, None)[0])[1]

    def heat_maps(self, images: Images) -> Float[np.ndarray, "batch map_height map_width joint"]:
        """Joint maps of images of one person each, of any size: the whole picture is fitted into the crop."""
        return self.forward(self._fit(images, None)[0])[0]

    def joints(self, images: Images, boxes: Shaped[np.ndarray, "person 4"] | None = None) -> Joints:
        """Find the joints of people, in IMAGE pixels.

        Args:
            images: RGB uint8: one image (height, width, 3), a batch of them, or a sequence of differing sizes.
            boxes: x0, y0, x1, y1 in image pixels: any number of people for one image, or one box per image. Without
                boxes each image is taken to be one person, and is fitted whole into the crop.
        """
        crops, affines = self._fit(images, boxes)
        found = self.describe(crops)[0].first
        return Joints(to_image(found.keypoints, affines), found.probability)

    def _fit(
        self, images: Images, boxes: np.ndarray | None
    ) -> tuple[UInt8[np.ndarray, "person height width 3"], Float[np.ndarray, "person 2 3"]]:
        """Cut one crop per box, or per image -> (crops, their affines)."""
        one = images is None or (isinstance(images, np.ndarray) and images.ndim == 3)
        pictures: list[Any] = [images] if one else list(images)
        for picture in pictures:
            if picture is None:  # as cv2.imread answers
                raise ValueError(
                    "images must be RGB uint8 arrays (height, width, 3), got None, which cv2.imread gives for a "
                    "picture that could not be read: see whether the file is there and is a picture"
                )
            if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,)):
                raise ValueError(
                    "images must be RGB uint8 arrays (height, width, 3), got "
                    f"{getattr(picture, 'shape', type(picture))} {getattr(picture, 'dtype', '')}; "
                    "convert grey or float pictures first"
                )
        if boxes is None:
            # Pixel centres are at integers, so a picture reaches from -0.5 to width - 0.5.
            boxes = np.array([[-0.5, -0.5, p.shape[1] - 0.5, p.shape[0] - 0.5] for p in pictures]).reshape(-1, 4)
            affines = crop_affine(boxes, self.size, margin=1.0)
        else:
            given = np.asarray(boxes)
            if given.ndim != 2 or given.shape[1] != 4:
                raise ValueError(f"boxes must be (person, 4) as x0, y0, x1, y1, got {given.shape}; one box is [box]")
            affines = crop_affine(given, self.size)
            if len(pictures) == 1:
                pictures = pictures * len(affines)
            if len(pictures) != len(affines):
                raise ValueError(f"boxes must be one per image, got {len(affines)} boxes for {len(pictures)} images")
        crops = [crop(picture, affine, self.size) for picture, affine in zip(pictures, affines, strict=True)]
        return np.stack(crops) if crops else np.zeros((0, *self.size, 3), np.uint8), affines

    def _batched(self, function: Callable[..., Any], crops: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a jitted function over `crops` in compiled batch sizes; results are cut and joined on the host."""
        if crops.dtype != np.uint8 or crops.shape[1:] != (*self.size, 3):
            raise ValueError(
                f"crops must be uint8 (batch, {self.size[0]}, {self.size[1]}, 3), got {crops.shape} {crops.dtype}"
            )
        if len(crops) == 0:
            shapes = jax.eval_shape(function, self._state, jax.ShapeDtypeStruct((1, *crops.shape[1:]), jnp.uint8))
            return tuple(np.zeros((0, *result.shape[1:]), result.dtype) for result in shapes)
        # Everything is dispatched before anything is fetched, so that a device works while the host pads.
        running = []
        for start, count, bucket in buckets(len(crops)):
            batch = crops[start : start + count]
            if count < bucket:
                batch = np.concatenate([batch, np.zeros((bucket - count, *crops.shape[1:]), np.uint8)])
            running.append((function(self._state, batch), count))
        return tuple(
            np.concatenate([np.asarray(results[place])[:count] for results, count in running])
            for place in range(len(running[0][0]))
        )


def _mobile(folder: Path) -> tuple[MobilePose, str]:
    try:
        return checkpoint.load_model(folder, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0)))
    except checkpoint.AnotherNetworkError as error:  # not named: only before there were three could it be a MobilePose
        raise checkpoint.CheckpointError(
            f"{folder} holds no pose network: it does not say which network it is, and its arrays are not those of a "
            "MobilePose; name the folder of a MobilePose, an InceptionResNet or a PartDetector"
        ) from error


def buckets(count: int) -> Iterator[tuple[int, int, int]]:
    """Cut `count` crops into (start, crops used, compiled batch size): a bucket is padded only when over half full."""
    start = 0
    while start < count:
        left = count - start
        bucket = max(size for size in BUCKETS if size == 1 or left > size // 2)
        yield start, min(left, bucket), bucket
        start += bucket
