"""`gaitnet weights`: what a file of somebody else's weights holds, and the same weights in this project's format."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli import weights_gaitnn
from gaitnet.cli.describe import AsJson
from gaitnet.cli.output import emit, note, say, table, waiting

if TYPE_CHECKING:
    import numpy as np

    from humanpose.weights import Filled, Shapes
    from humanpose.weights.arrays import Arrays
    from humanpose.weights.recognize import Recognized

NAMED = 3
"""How many names stand as examples in a table."""

weights_commands = typer.Typer(
    no_args_is_help=True, help="Look into weights of TensorFlow, Torch7, Keras and PyTorch, take them over."
)


class Network(StrEnum):
    """What weights can be of."""

    INCEPTION_RESNET = "inception_resnet"
    PART_DETECTOR = "part_detector"
    MOBILE_TRUNK = "mobile_trunk"
    GAITNN = "gaitnn"


File = Annotated[Path, typer.Argument(metavar="FILE", help=".ckpt, .index, .t7, .h5, .safetensors or .pth")]


@weights_commands.command("inspect")
def inspect(file: File, as_json: AsJson = False) -> None:
    """List the arrays of a file: names, shapes, types. Nothing in the file is run.

    [bold]Examples[/]
    gaitnet weights inspect MPII+LSP.ckpt
    gaitnet weights inspect mobilenet_v2.safetensors --json
    """
    from humanpose.weights.formats import read

    arrays = read(file)
    entries = [(_plain(name), list(entry.shape), entry.stored) for name, entry in arrays.entries.items()]
    numbers = sum(_count(shape) for _, shape, _ in entries)
    network = _network_of(arrays.shapes)
    if as_json:
        listed = [{"name": name, "shape": shape, "type": stored} for name, shape, stored in entries]
        skipped = {_plain(name): why for name, why in arrays.skipped.items()}
        document = {"file": str(file), "format": arrays.kind, "network": network, "numbers": numbers}
        emit(document | {"arrays": listed, "skipped": skipped, "facts": arrays.facts})
        return
    rows = [(name, " x ".join(map(str, shape)) or "scalar", stored) for name, shape, stored in entries]
    table(("name", "shape", "type"), rows, title=f"{file}: {arrays.kind}")
    for name, why in arrays.skipped.items():
        note(f"{_plain(name)}: not listed, {why}")
    say(f"{len(entries)} arrays of {numbers:,} numbers in all, {network or 'no network that is known here'}")


@weights_commands.command("convert")
def convert(
    file: File,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the checkpoint goes; made if missing.")],
    network: Annotated[
        Network | None, typer.Option(help="What the weights are of.", show_default="told by their names")
    ] = None,
    float32: Annotated[
        bool,
        typer.Option(
            "--float32/--float16",
            help="float32 keeps every digit; float16 takes half the space, and features come out wrong by about a "
            "thousandth of their size.",
        ),
    ] = True,
    layers: Annotated[
        int | None,
        typer.Option(min=1, max=8, help="GaitNN's recurrent layers, where they share weights or the file has none."),
    ] = None,
    unit: Annotated[
        weights_gaitnn.Unit | None,
        typer.Option(help="What GaitNN's recurrent layers are made of, where the file has none.", show_default="GRU"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take weights over: check every name and shape, write model.json and weights.npz.

    Pose networks: HumanPoseNN.load(FOLDER) takes them.
    Trunks (MobileNetV2, Inception-ResNet-v2, ResNet-152 of ImageNet): python -m train pose --trunk FOLDER.
    GaitNN: reads the original pose network's features, 17 x 17 x 32, in Python; gait commands read joints.

    [bold]Examples[/]
    gaitnet weights convert MPII+LSP.ckpt --to original-pose
    gaitnet weights convert mobilenet_v2.safetensors --to trunk --float16
    gaitnet weights convert H3.6m-GRU-1.ckpt --network gaitnn --to original-gait
    """
    from humanpose.checkpoint import MANIFEST, WEIGHTS
    from humanpose.weights import compare
    from humanpose.weights.formats import read

    if to.exists() and not to.is_dir():
        raise ValueError(f"--to: expected a folder, but {to} is a file")
    if any((to / name).exists() for name in (MANIFEST, WEIGHTS)):
        raise ValueError(f"--to: {to} holds a checkpoint already; name another folder")
    arrays = read(file)
    found = _recognized(arrays.shapes, network, layers, unit)
    own = found.shapes()
    report = compare(own, arrays.shapes, found.table)
    if not report.complete:
        refusal = _refusal(file, found, report)
        if as_json:
            emit(_document(file, arrays, found) | {"refused": refusal} | _listed(arrays, report))
            raise ValueError(refusal)
        _show(file, arrays, found, report)
        raise ValueError(f"{refusal}. --json lists every name")
    facts = weights_gaitnn.told(arrays.shapes, found.config) if found.network == Network.GAITNN else {}
    with waiting("converting"):
        ours = _converted(arrays, found, own)
        drawn = {} if found.trunk or not report.kept else weights_gaitnn.drawn(found.config)
        card = {
            "name": f"{found.network} of {file.name}",
            "licence": "Not stated: that of the weights that were converted.",
            "source": {
                "file": file.name, "format": arrays.kind, "sha256": _sha256(arrays.path),
                "shards": {shard.name: _sha256(shard) for shard in arrays.shards}, "names": found.told,
            },
            "dead": list(report.dead), "untrained": sorted(drawn), **facts,
        }  # fmt: skip
        sha256, size = _save(to, ours | drawn, found, card, float32)
    rounding = None if float32 else _rounding(ours)
    if as_json:
        document = {"folder": str(to), "sha256": sha256, "bytes": size, "rounding": rounding}
        document |= {"parameters": len(ours), "drawn": sorted(drawn)} | facts
        emit(_document(file, arrays, found) | document | _listed(arrays, report))
        return
    _show(file, arrays, found, report)
    for sentence in weights_gaitnn.sentences(facts, len(report.dead), len(drawn)) if facts else ():
        note(sentence)
    if rounding is not None:
        say(f"rounded to float16: off by {rounding['all']:.1e} of their size, at worst {rounding['worst']:.1e}")
    say(f"wrote {to / WEIGHTS} ({size / 1e6:.1f} MB), sha256\n{sha256}")


def _recognized(
    shapes: "Shapes", network: Network | None, layers: int | None, unit: weights_gaitnn.Unit | None
) -> "Recognized":
    """The network of the weights; ValueError where the names are not of `network`, or of none that is known."""
    from gaitnet.models.gaitnn_names import ROOT
    from humanpose.weights.recognize import recognize

    of_gait = any(name.startswith(f"{ROOT}/") for name in shapes)
    if of_gait and network not in (None, Network.GAITNN):
        raise ValueError(f"--network: the names in the file are not of {network} but those of gaitnn")
    if network not in (None, Network.GAITNN) or (network is None and not of_gait):
        if layers is not None or unit is not None:
            raise ValueError(f"{'--unit' if layers is None else '--layers'}: only GaitNN has recurrent layers")
        return recognize(shapes, network)
    return weights_gaitnn.recognized(shapes, layers, unit)


def _network_of(shapes: "Shapes") -> str | None:
    try:
        found = _recognized(shapes, None, None, None)
    except ValueError:
        return None
    return f"{found.network} by {found.told}"


def _converted(arrays: "Arrays", found: "Recognized", own: "Shapes") -> "dict[str, np.ndarray]":
    """Our parameters, made of the file's arrays; ValueError where an array is damaged or not finite."""
    from humanpose import weights
    from humanpose.checkpoint import CheckpointError

    try:
        return weights.convert(own, arrays, found.table, found.network)[0]
    except CheckpointError as error:
        raise ValueError(f"{arrays.path}: {' '.join(str(error).split())}") from error


def _save(
    to: Path, arrays: "Mapping[str, np.ndarray]", found: "Recognized", card: dict[str, Any], float32: bool
) -> tuple[str, int]:
    """Write the checkpoint -> (sha256 of its weights, bytes)."""
    import json
    from dataclasses import asdict

    from humanpose.checkpoint import MANIFEST, WEIGHTS, save

    name = found.build.__name__ + ("Trunk" if found.trunk and found.network != Network.MOBILE_TRUNK else "")
    save(to, arrays, asdict(found.config), card, name, half=not float32)
    manifest = json.loads((to / MANIFEST).read_text())
    return manifest["weights"]["sha256"], (to / WEIGHTS).stat().st_size


def _rounding(arrays: "Mapping[str, np.ndarray]") -> dict[str, Any]:
    """What float16 loses: the norm of the error over the norm, of all numbers and of the worst array."""
    import numpy as np

    lost, whole, worst, where = 0.0, 0.0, 0.0, ""
    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            rough = array.astype(np.float16).astype(np.float64)
        exact = array.astype(np.float64)
        rough = np.where(np.isfinite(rough).all(), rough, exact)  # such an array stays float32
        error, norm = float(np.sum((rough - exact) ** 2)), float(np.sum(exact**2))
        lost, whole = lost + error, whole + norm
        if norm and (error / norm) ** 0.5 > worst:
            worst, where = (error / norm) ** 0.5, name
    return {"all": (lost / whole) ** 0.5 if whole else 0.0, "worst": worst, "worst_parameter": where}


def _show(file: Path, arrays: "Arrays", found: "Recognized", report: "Filled") -> None:
    """What became of every array, in a table: how many, and the first of them."""
    listed = _listed(arrays, report)
    listed["mis-shaped"] = listed.pop("misshaped")
    rows: list[tuple[str, int, str]] = [("found", len(arrays), "")]
    rows += [(what, len(names), _some(names)) for what, names in listed.items()]
    if report.kept:
        rows.append(("left as they are", len(report.kept), _some(list(report.kept))))
    heading = f"{file}: {arrays.kind}\n{found.network}{', its trunk alone' if found.trunk else ''}, by {found.told}"
    table(("arrays", "count", "among them"), rows, right=(1,), title=heading)


def _document(file: Path, arrays: "Arrays", found: "Recognized") -> dict[str, Any]:
    """What --json begins with, whether the weights are taken over or refused."""
    known = {"file": str(file), "format": arrays.kind, "network": found.network, "names": found.told}
    return known | {"found": len(arrays)}


def _listed(arrays: "Arrays", report: "Filled") -> dict[str, list[str]]:
    return {
        "filled": list(report.filled),
        "missing": list(report.missing),
        "unexpected": list(map(_plain, report.unexpected)),
        "misshaped": list(map(_plain, report.misshaped)),
        "dead": list(report.dead),
        "ignored": [*report.ignored, *map(_plain, arrays.skipped)],
    }


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")


def _refusal(file: Path, found: "Recognized", report: "Filled") -> str:
    """One sentence for names and shapes that do not fit."""
    parts = []
    for what in ("missing", "unexpected", "misshaped"):
        names = [_plain(name) for name in getattr(report, what)]
        if names:
            parts.append(f"{len(names)} {'mis-shaped' if what == 'misshaped' else what} ({_some(names)})")
    return f"{file} is not a complete {found.network}: {'; '.join(parts)}. Nothing was written"


def _plain(name: str) -> str:
    from humanpose.weights.arrays import plain

    return plain(name)


def _count(shape: list[int]) -> int:
    import math

    return math.prod(shape)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
