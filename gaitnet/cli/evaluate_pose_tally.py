"""What `gaitnet evaluate pose` counts over the pictures of a set, and the tables and plots that come of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.cli.evaluate_pose_pictures import Pictures
    from gaitnet.evaluation.joints import Errors

SHOWN = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder", "upper_neck", "head_top")
PUBLISHED = "original on {}"
OF_ORIGINAL = {"MPII": "MPII + LSP", "LSP": "MPII + LSP", "Human3.6M": "Human3.6M, walking"}
"""First word of a set's name -> the figures of the original's that stand beside it."""


class Tally:
    """Errors of some joints over people, and whose they are."""

    def __init__(self, joints: Sequence[int]):
        self.joints = list(joints)
        self.by_head = False
        """Whether the data set itself tells the heads' lengths, as MPII does."""
        self._parts: list[tuple[Any, ...]] = []

    def add(self, pictures: "Pictures", found: "np.ndarray") -> "Errors":
        """Count the joints found (person, joint, xy) in some pictures; returns their errors."""
        import numpy as np

        from gaitnet.evaluation.joints import Errors
        from humanpose.metrics import grid_scale, head_length, joint_errors, torso_diameter, torso_length
        from humanpose.preprocess import box_from_keypoints

        keypoints, visible = pictures.keypoints, np.asarray(pictures.visible).astype(bool)
        counted = np.isin(np.arange(visible.shape[-1]), self.joints)
        # the torso is measured with all that is visible; only then do the joints that do not count drop out
        distance = np.where(counted, joint_errors(found, keypoints, visible), np.nan)
        torso = torso_length(keypoints, visible) if pictures.torso is None else np.asarray(pictures.torso)
        boxes = box_from_keypoints(keypoints, visible) if pictures.boxes is None else pictures.boxes
        head = head_length(keypoints, visible)
        if pictures.heads is not None and np.isfinite(pictures.heads).any():
            head, self.by_head = np.where(np.isfinite(pictures.heads), pictures.heads, head), True
        errors = Errors(
            distance, np.where(torso > 0, torso, np.nan), torso_diameter(keypoints, visible),
            head, grid_scale(boxes), np.array(pictures.owners),
        )  # fmt: skip
        self._parts.append((errors.distance, errors.torso, errors.diameter, errors.head, errors.scale, errors.owners))
        return errors

    @property
    def errors(self) -> "Errors":
        """The errors of everybody counted."""
        import numpy as np

        from gaitnet.evaluation.joints import Errors

        if not self._parts:
            none = np.zeros(0)
            return Errors(np.zeros((0, 16)), none, none, none, none, np.zeros(0, str))
        return Errors(*(np.concatenate(column) for column in zip(*self._parts, strict=True)))

    def line(self) -> list[Any]:
        """Overall PCK@0.2, that of each of SHOWN in percent, people scored and left out."""
        errors = self.errors
        rate = errors.pck(0.2)
        if not rate.count:
            return [None, *[None] * len(SHOWN), 0, errors.left_out]
        return [rate, *_each(errors), errors.people, errors.left_out]


def _each(errors: "Errors") -> list[float | None]:
    from gaitnet.evaluation.joints import GROUPS

    return [_percent(errors.pck(0.2, GROUPS[name])) for name in SHOWN]


def _percent(rate: Any) -> float | None:
    return round(100 * rate.value, 1) if rate.count else None


def tables(tallies: dict[str, Tally]) -> list[tuple[str, list[str], list[list[Any]]]]:
    """PCK@0.2 by joint, the other measures, and distances by joint: (caption, header, lines) each, a column a set.

    Beside the distances in MPII, LSP and Human3.6M stand the original's, which it published without intervals; its mean
    over all 16 joints only beside a set that has as many.
    """
    from gaitnet.evaluation.joints import GROUPS, ORIGINAL
    from humanpose.skeleton import JOINTS

    every = [tally.errors for tally in tallies.values()]
    header = ["joint", *tallies]
    names = ["all [95 %]", *[name.replace("_", " ") for name in SHOWN], "people", "left out"]
    columns = [tally.line() for tally in tallies.values()]
    by_joint = [[name, *cells] for name, cells in zip(names, zip(*columns, strict=True), strict=True)]
    others = [
        ["PCK@0.1", *[_known(one.pck(0.1)) for one in every]],
        ["PCKh@0.5", *[_known(one.pckh(0.5)) for one in every]],
        ["PDJ@0.2", *[_known(one.pdj(0.2)) for one in every]],
        ["nobody found", *[one.not_found for one in every]],
    ]
    published = {name: OF_ORIGINAL[name.split()[0]] for name in tallies if name.split()[0] in OF_ORIGINAL}
    whose = dict.fromkeys(published.values())
    alike = {who for name, who in published.items() if len(tallies[name].joints) == len(JOINTS)}
    beside = {PUBLISHED.format(who): dict(zip(GROUPS, ORIGINAL[who][:-1], strict=True)) for who in whose}
    distances = [
        ["all [95 %]", *[_pixels(one.mean_distance()) for one in every],
         *[ORIGINAL[who][-1] if who in alike else None for who in whose]]
    ]  # fmt: skip
    for kind, joints in GROUPS.items():
        means = [_pixels(one.mean_distance(joints)) for one in every]
        if any(means):
            shown = [mean and mean.split()[0] for mean in means]
            distances.append([kind.replace("_", " "), *shown, *[of[kind] for of in beside.values()]])
    heads = {name: one for (name, tally), one in zip(tallies.items(), every, strict=True) if tally.by_head}
    by_head = [["all [95 %]", *[one.pckh(0.5) for one in heads.values()]]]
    for name in SHOWN:
        rates = [one.pckh(0.5, GROUPS[name]) for one in heads.values()]
        by_head.append([name.replace("_", " "), *[_percent(rate) for rate in rates]])
    of_heads = [("PCKh@0.5 (head as the data set tells it), %", ["joint", *heads], by_head)] if heads else []
    return [
        ("PCK@0.2 (torso), %", header, by_joint),
        *of_heads,
        ("PCK@0.1 (torso), PCKh@0.5 (head), PDJ@0.2", ["", *tallies], others),
        ("mean distance, pixels of the 299 grid", [*header, *beside], distances),
    ]


def _known(rate: Any) -> Any:
    return rate if rate.count else None


def _pixels(rate: Any) -> str | None:
    from gaitnet.evaluation.joints import in_pixels

    return in_pixels(rate) if rate.count else None


def plots(tallies: dict[str, Tally]) -> list[tuple[str, bytes, str]]:
    """Bars of the mean distance of each kind of joint, curves of PCK, for each set; curves of PDJ for all together."""
    from gaitnet.evaluation.joints import GROUPS, ORIGINAL, THRESHOLDS
    from gaitnet.evaluation.plots import bars_plot, shares_plot

    drawn = []
    together: dict[str, list[float]] = {}
    for name, tally in tallies.items():
        errors = tally.errors
        means = {kind: errors.mean_distance(joints) for kind, joints in GROUPS.items()}
        means = {kind: mean for kind, mean in means.items() if mean.count}
        if not means:
            continue
        means["mean"] = errors.mean_distance()
        beside = {
            PUBLISHED.format(who): dict(zip([*GROUPS, "mean"], values, strict=True)) for who, values in ORIGINAL.items()
        }
        picture = bars_plot(
            {kind: (mean.value, mean.low, mean.high) for kind, mean in means.items()},
            unit="mean distance, px of the 299 grid", beside=beside, title=name,
        )  # fmt: skip
        drawn.append((f"pose-distance-{slug(name)}.png", picture, f"Mean distance of each kind of joint, {name}"))
        curves = {
            kind.replace("_", " "): [errors.pck(threshold, joints).value for threshold in THRESHOLDS]
            for kind, joints in GROUPS.items()
            if kind in means
        }
        picture = shares_plot(
            curves, THRESHOLDS, horizontal="within so many torsos", vertical="joints found, %", title=name
        )
        drawn.append((f"pose-pck-{slug(name)}.png", picture, f"PCK over the threshold, {name}"))
        if errors.pdj(0.2).count:
            together[name] = [errors.pdj(threshold).value for threshold in THRESHOLDS]
    if together:
        picture = shares_plot(
            together, THRESHOLDS, horizontal="within so many torso diameters", vertical="joints found, %",
            title="PDJ, every set",
        )  # fmt: skip
        drawn.append(("pose-pdj.png", picture, "PDJ over the threshold, every set"))
    return drawn


def slug(name: str) -> str:
    """A set's name as part of a file's."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
