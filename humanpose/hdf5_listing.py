"""What may be trusted in an HDF5 file; and where the weights of Keras lie in one, told by a process of its own.

`python hdf5_listing.py FILE` prints {"facts", "weights": [[name, shape, type, byte], ...]} or {"refused": sentence} as
JSON; with names of datasets behind FILE it reads these, and prints {} in the end. The HDF5 library is not made for
damaged files: some make it loop for ever, some make it crash. `hdf5_process` runs this with a limit of time. `keras_h5`
then reads the numbers itself; data sets, which are small enough to be read at once, are opened again, and read `member`
by `member` after `held` has looked at each. Nothing of this project is imported here, so that it starts quickly.
"""

import json
import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

MOST_LAYERS = 10_000
MEMORY = 4 << 30
"""Bytes that this process may take up."""


GAIN = 1040
"""Bytes that one byte of the best compression here, gzip's, can stand for."""


class RefusedError(ValueError):
    """What is said instead of a listing, or of an array."""


def listing(path: str) -> dict[str, Any]:
    """Every layer's weights, named "layer/weight", such as "Conv1/kernel", whichever version of Keras wrote them."""
    with h5py.File(path, "r") as file:
        root: Any = member(file, "model_weights") if "model_weights" in file else file
        layers = texts(root, "layer_names")
        if layers is None:
            hint = "; save the model in the older form: model.save('NAME.h5')" if "layers" in file else ""
            raise RefusedError(f"it is an HDF5 file without Keras's list of layers{hint}")
        if len(layers) > MOST_LAYERS:
            raise RefusedError(f"it lists {len(layers)} layers, more than any network has")
        weights: dict[str, list[Any]] = {}
        for layer in layers:
            group = member(root, layer)
            for name in texts(group, "weight_names") or []:
                dataset = plain(member(group, name), name)
                # versions of Keras write conv2d_1/kernel:0, model/conv2d_1/kernel, dw/depthwise_kernel:0 or dw/kernel
                last = name.removesuffix(":0").rpartition("/")[2]
                ours = f"{layer}/{'kernel' if last == 'depthwise_kernel' else last}"
                if ours in weights:
                    raise RefusedError(f"it lists {ours!r} twice")
                weights[ours] = [list(dataset.shape), dataset.dtype.str, dataset.id.get_offset() or 0]
        facts = {key: str(root.attrs[key])[:80] for key in ("keras_version", "backend") if key in root.attrs}
        return {"facts": facts, "weights": [[name, *told] for name, told in weights.items()]}


def read(path: str, names: Sequence[str]) -> dict[str, Any]:
    """Read some datasets, those that are there and may be read; what is wrong with the others, their reader says."""
    with h5py.File(path, "r") as file:
        for name in names:
            with suppress(RefusedError):
                np.asarray(held(member(file, name), name, "fiubSO"))
    return {}


def texts(group: Any, name: str) -> list[str] | None:
    """A list of names, as bytes or text, whole or, where it is long, in numbered parts; None where there is none."""
    found = [name] if name in group.attrs else [f"{name}{n}" for n in range(MOST_LAYERS) if f"{name}{n}" in group.attrs]
    if not found:
        return None
    entries = [entry for part in found for entry in np.asarray(group.attrs[part]).ravel()]
    return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in entries]


def member(group: Any, name: str) -> Any:
    """What lies at a path below a group, reached by plain links within the file alone."""
    found = group
    for part in name.split("/"):
        if part in ("", ".") or not has(found, part):
            raise RefusedError(f"{name!r} is missing, or a link to elsewhere")
        found = found[part]
    return found


def has(group: Any, name: str) -> bool:
    """Whether a group has a plain link of that name; asked without following any, for some lead to other files."""
    if not isinstance(group, h5py.Group) or not group.id.links.exists(name.encode()):
        return False
    return bool(group.id.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD)


def held(dataset: Any, name: str, kinds: str = "fiub", most: int = 1 << 28) -> h5py.Dataset:
    """The dataset, if the file itself holds it: `kinds` of NumPy's types, `most` bytes.

    A shape costs a file nothing, so it is held against the bytes that are there, of which each stands for GAIN at most
    where they are compressed.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in kinds:
        raise RefusedError(f"{name!r} is no array of numbers or names")
    if dataset.external or dataset.is_virtual:
        raise RefusedError(f"what {name!r} holds is kept in another file")
    settings = dataset.id.get_create_plist()
    filters = [settings.get_filter(place)[0] for place in range(settings.get_nfilters())]
    packing = [code for code in filters if code not in (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)]
    if len(packing) > 1 or not set(packing) <= {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF}:
        raise RefusedError(f"{name!r} is packed in a way that is not read here; gzip and lzf are")
    there = min(dataset.id.get_storage_size(), dataset.file.id.get_filesize())
    claimed = max(math.prod(shape) for shape in (dataset.shape or (), dataset.chunks or ())) * dataset.dtype.itemsize
    if claimed > min(there * (GAIN if packing else 1), most):
        raise RefusedError(f"{name!r} of the shape {dataset.shape} claims more than the {there} bytes it has")
    return dataset


def plain(dataset: Any, name: str) -> h5py.Dataset:
    """The dataset, if its numbers lie in the file as they are."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiub":
        raise RefusedError(f"{name!r} is no array of numbers")
    if dataset.external or dataset.is_virtual or dataset.chunks is not None:
        raise RefusedError(f"the numbers of {name!r} are compressed or kept elsewhere, which Keras never does")
    if dataset.size and dataset.id.get_offset() is None:
        raise RefusedError(f"the numbers of {name!r} are missing")
    return dataset


def main(path: str, *names: str) -> None:
    """Print the listing, or {} for names that were read, or why there is neither."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # a system without such limits: time alone is limited there
    told: dict[str, Any]
    try:
        told = read(path, names) if names else listing(path)
    # HDF5 meets hostile bytes with whatever breaks first; each means the same
    except Exception as error:
        told = {"refused": str(error) or type(error).__name__}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
