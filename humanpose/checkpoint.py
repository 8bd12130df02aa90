"""Weights on disk: a folder with `weights.npz` (float16, plain arrays) and `model.json` (what they are, checksum).

Nothing here can execute what it reads. The archive is taken apart by hand instead of by `np.load`, so that a file's own
claims (sizes, pickled types, compression) are checked before they cost anything.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

WEIGHTS = "weights.npz"
MANIFEST = "model.json"
FORMAT = 1


FEW = 3
"""Complaints of one kind that a short account of an error names."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or made for another model.

    The message lists every one of `complaints` ("missing: a/b (3,)"), the `brief` one a few of each kind and how many
    more there are: a wrong file has hundreds.
    """

    def __init__(self, sentence: str, complaints: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([f"{sentence}:" if complaints else sentence, *complaints]))
        kinds: dict[str, list[str]] = {}
        for complaint in complaints:
            kind, _, about = complaint.partition(": ")
            kinds.setdefault(kind, []).append(about)
        told = [f"{kind}: {', '.join(names[:FEW])}{_and_more(len(names) - FEW)}" for kind, names in kinds.items()]
        self.brief = f"{sentence}; {'; '.join(told)}" if told else sentence


class AnotherNetworkError(CheckpointError):
    """A sound checkpoint, but of another network than the one that was asked for."""


def _and_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def save(
    directory: str | Path,
    arrays: Mapping[str, Any],
    config: dict[str, Any],
    card: dict[str, Any],
    network: str | None = None,
    half: bool = True,
) -> None:
    """Write `arrays` ("a/b/c" -> array) with the model's `config` and its model `card` (both JSON) into `directory`.

    `network` is the name of the model's class, by which loading knows what to build.
    Floats are rounded to float16 unless that would overflow, or to float32 without `half`; integers and booleans stay
    as they are. Equal arrays give equal bytes. Both files are written under temporary names and renamed, the manifest
    last: a kill in between leaves the old checkpoint or a checksum that does not match, never a mixture that loads.
    Raises ValueError for arrays that are not finite or not numbers.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    payload = _pack({name: _narrow(name, np.asarray(array), half) for name, array in sorted(arrays.items())})
    manifest = {
        "format": FORMAT,
        "config": config,
        "card": card,
        "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(payload).hexdigest()},
    }
    if network is not None:
        manifest["network"] = network
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n"
    staged = [(folder / WEIGHTS, payload), (folder / MANIFEST, text.encode())]
    parts = [path.with_name(f".{path.name}.{os.getpid()}") for path, _ in staged]
    try:
        for part, (_, content) in zip(parts, staged, strict=True):
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, (path, _) in zip(parts, staged, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def load(directory: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint folder -> (arrays, manifest), floats widened to float32.

    The manifest has "config", "card" and, where it was given, "network" as they were saved. Raises CheckpointError
    where a file is missing, is not what it should be, or does not match the manifest's sha256. Safe on hostile bytes:
    nothing is unpickled or decompressed.
    """
    folder = Path(directory)
    try:
        text = (folder / MANIFEST).read_bytes()
        payload = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"directory {str(folder)!r} must hold {MANIFEST} and {WEIGHTS} to be a checkpoint: {error}"
        ) from error
    manifest = _parse(text, folder / MANIFEST)
    digest = hashlib.sha256(payload).hexdigest()
    if digest != manifest["weights"]["sha256"]:
        raise CheckpointError(
            f"{folder / WEIGHTS} is damaged or half-written: {MANIFEST} promises sha256 "
            f"{manifest['weights']['sha256']}, the file has {digest}; fetch or train the checkpoint again"
        )
    arrays = _unpack(payload, folder / WEIGHTS)
    return {name: _widen(array) for name, array in arrays.items()}, manifest


def flatten(model: nnx.Module) -> dict[str, np.ndarray]:
    """Return a model's weights (Param) and running statistics (BatchStat) as "a/b/c" -> array: what `save` takes."""
    return {name: np.asarray(variable.get_value()) for name, variable in variables(model).items()}


def fill(model: nnx.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put `arrays` ("a/b/c" -> array) into a model, in place; it may be abstract (from `nnx.eval_shape`).

    Values are cast to each variable's type. Random state of an abstract model (dropout's) starts from seed 0. Raises
    CheckpointError, and changes nothing, where any key is missing, unexpected or mis-shaped; it lists every one.
    """
    own = variables(model)
    wanted = {name: tuple(variable.get_value().shape) for name, variable in own.items()}
    complaints = [f"missing: {name} {shape}" for name, shape in sorted(wanted.items()) if name not in arrays]
    complaints += [f"unexpected: {name} {np.shape(arrays[name])}" for name in sorted(arrays) if name not in wanted]
    complaints += [
        f"mis-shaped: {name} expected {shape}, got {np.shape(arrays[name])}"
        for name, shape in sorted(wanted.items())
        if name in arrays and np.shape(arrays[name]) != shape
    ]
    if complaints:
        raise CheckpointError(
            f"arrays do not fit {type(model).__name__} in {len(complaints)} keys; build the model from the "
            "checkpoint's own config",
            complaints,
        )
    for name, variable in own.items():
        variable.set_value(jnp.asarray(arrays[name], variable.get_value().dtype))
    for _, variable in nnx.to_flat_state(nnx.state(model)):
        value = variable.get_value()
        if isinstance(value, jax.ShapeDtypeStruct):
            random = jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
            variable.set_value(jax.random.key(0) if random else jnp.zeros(value.shape, value.dtype))


Config = TypeVar("Config")
Model = TypeVar("Model", bound=nnx.Module)


def load_model(
    directory_or_name: str | Path, config: type[Config], build: Callable[[Config], Model], headless: bool = False
) -> tuple[Model, str]:
    """Build a network by a checkpoint's config and fill it -> (network, sha256 of its weights).

    Args:
        directory_or_name: as `find` takes it.
        config: dataclass of the network's settings; settings that it has not are passed over.
        build: settings -> network.
        headless: the network's training head (`subjects` persons, arrays head/...) is left out.

    Raises:
        CheckpointError: missing, damaged, or of another network.

    """
    folder = find(directory_or_name)
    arrays, manifest = load(folder)
    name = config.__name__.removesuffix("Config")
    if manifest.get("network", name) != name:
        raise AnotherNetworkError(f"{folder} holds the network {manifest['network']}, not {name}: name another folder")
    known = {field.name for field in fields(config)}  # type: ignore[arg-type]
    settings = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in manifest["config"].items()
        if name in known
    }
    if headless:
        settings["subjects"] = 0
        arrays = {name: array for name, array in arrays.items() if not name.startswith("head/")}
    try:
        model = nnx.eval_shape(lambda: build(config(**settings)))
    except (ValueError, TypeError, OverflowError, ZeroDivisionError, MemoryError) as error:
        raise CheckpointError(f"config of {folder} does not describe a {name}: {error}") from error
    own = variables(model)
    fitting = len(own.keys() & arrays.keys())
    if 2 * fitting < len(own):  # a list of every key would say the same at length
        raise AnotherNetworkError(
            f"{folder} holds another network than {name}: of the {len(own)} arrays of such a network it has {fitting}; "
            "name another folder"
        )
    fill(model, arrays)
    return model, manifest["weights"]["sha256"]


def network_of(directory_or_name: str | Path) -> str | None:
    """Name the class of the network in a checkpoint; None where it was saved before checkpoints said so.

    Raises CheckpointError where there is none, or its manifest is damaged.
    """
    path = find(directory_or_name) / MANIFEST
    return _parse(path.read_bytes(), path).get("network")


def find(directory_or_name: str | Path) -> Path:
    """Locate a checkpoint folder: the name of one that ships with the package or the checkout, or else a path.

    Shipped names come first, so that no folder of that name in the working directory takes their place.
    """
    given = Path(directory_or_name)
    root = Path(__file__).resolve().parents[1]
    candidates = [given]
    if len(given.parts) == 1:
        candidates = [root / "gaitnet" / "checkpoints" / given, root / "checkpoints" / given, given]
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise CheckpointError(f"no checkpoint {str(directory_or_name)!r}: looked for {MANIFEST} in {tried}")


def variables(model: nnx.Module) -> dict[str, Any]:
    """Return a model's weights and running statistics as "a/b/c" -> the variable itself."""
    state = nnx.to_flat_state(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat)))
    return {"/".join(str(part) for part in path): variable for path, variable in state}


def _narrow(name: str, array: np.ndarray, half: bool) -> np.ndarray:
    if array.dtype.kind in "iub":
        return array
    if not np.issubdtype(array.dtype, np.floating) and str(array.dtype) != "bfloat16":
        raise ValueError(f"arrays[{name!r}] must hold numbers, got dtype {array.dtype}")
    wide = array.astype(np.float32)
    if not np.isfinite(wide).all():
        raise ValueError(f"arrays[{name!r}] must be finite, got NaN or infinity: this model is not worth keeping")
    fits = np.abs(wide).max(initial=0) < np.finfo(np.float16).max
    return wide.astype(np.float16) if half and fits else wide


def _widen(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Lay arrays out as an npz, uncompressed and without time stamps."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            # Not `ascontiguousarray`: that would turn scalars into vectors.
            np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue())
    return stream.getvalue()


def _unpack(payload: bytes, path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            return {entry.filename.removesuffix(".npy"): _entry(archive, entry) for entry in archive.infolist()}
    # zipfile and NumPy's header parser meet hostile bytes with whatever breaks first; each means the same to a caller.
    except Exception as error:
        raise CheckpointError(f"{path} is not an npz of plain arrays: {error}") from error


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename}: expected an uncompressed entry")
    stream = io.BytesIO(archive.read(entry))
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{entry.filename}: npy version {version} is not supported")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    if dtype.kind not in "fiub":
        raise ValueError(f"{entry.filename}: expected plain numbers, got dtype {dtype}")
    array = np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran_order else "C")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{entry.filename}: NaN or infinity")
    return array


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    sound = (
        isinstance(manifest, dict)
        and isinstance(manifest.get("config"), dict)
        and isinstance(manifest.get("card"), dict)
        and isinstance(manifest.get("weights"), dict)
        and isinstance(manifest["weights"].get("sha256"), str)
        and isinstance(manifest.get("network", ""), str)
    )
    if not sound or manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path} must be a manifest of format {FORMAT} with config, card and weights.sha256")
    return manifest
