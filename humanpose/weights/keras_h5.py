"""Keras's `.h5` files: weights alone (`save_weights`), or those of a whole saved model (`model_weights`).

Every layer is a group that lists its weights; here they are named "layer/weight", such as "Conv1/kernel", whichever
version of Keras wrote them. Only plain datasets within the file are read: links to other files, data kept outside and
compressed data, which Keras never writes, are refused.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from humanpose.weights.arrays import AGAIN, LONGEST_NAME, Arrays, Entry, WeightsFileError, checked_shape, said

if TYPE_CHECKING:
    import h5py

KIND = "Keras HDF5 file"
MOST_LAYERS = 10_000


def read(path: str | Path) -> Arrays:
    """Open a Keras `.h5` file: every layer's weights, read when asked for.

    Raises WeightsFileError where the file is damaged, cut short, of another kind, or refers to other files.
    """
    path = Path(path)
    try:
        entries, facts = _opened(path)
    except WeightsFileError:
        raise
    # HDF5 meets hostile bytes with whatever breaks first (OSError too); each means the same to a caller
    except Exception as error:
        path.open("rb").close()  # a file that the system refuses is another matter
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {said(error)}; {AGAIN}") from error
    return Arrays(path, KIND, entries, facts=facts)


def _opened(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    import h5py

    with h5py.File(path, "r") as file:
        root: Any = _member(file, "model_weights") if "model_weights" in file else file
        layers = _texts(root.attrs.get("layer_names"))
        if layers is None:
            hint = "; save the model in the older form: model.save('NAME.h5')" if "layers" in file else ""
            raise WeightsFileError(f"{path} is an HDF5 file without Keras's list of layers{hint}")
        if len(layers) > MOST_LAYERS:
            raise WeightsFileError(f"{path} lists {len(layers)} layers, more than any network has")
        size = path.stat().st_size
        entries: dict[str, Entry] = {}
        for layer in layers:
            group = _member(root, layer)
            for name in _texts(group.attrs.get("weight_names")) or []:
                dataset = _plain(_member(group, name), name)
                checked_shape(dataset.shape, dataset.dtype.itemsize, size)
                # versions of Keras write conv2d_1/kernel:0, model/conv2d_1/kernel, dw/depthwise_kernel:0 or dw/kernel
                last = name.removesuffix(":0").rpartition("/")[2]
                ours = f"{layer}/{'kernel' if last == 'depthwise_kernel' else last}"
                if ours in entries:
                    raise WeightsFileError(f"{path} lists {ours!r} twice")
                entries[ours] = Entry(dataset.shape, dataset.dtype.name, partial(_numbers, path, dataset.name))
        facts = {key: str(root.attrs[key])[:80] for key in ("keras_version", "backend") if key in root.attrs}
        return entries, facts


def _texts(attribute: Any) -> list[str] | None:
    """A list of names, as bytes or text; None where there is none."""
    if attribute is None:
        return None
    return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in np.asarray(attribute).ravel()]


def _member(group: "h5py.Group", name: str) -> Any:
    """What lies at a path below a group, reached by plain links within the file alone."""
    import h5py

    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"a name of {len(name)} letters")
    found: Any = group
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) and part not in ("", ".") else None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r} is missing, or a link to elsewhere")
        found = found[part]
    return found


def _plain(dataset: Any, name: str) -> "h5py.Dataset":
    """The dataset, if its numbers lie in the file as they are."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiub":
        raise ValueError(f"{name!r} is no array of numbers")
    if dataset.external or dataset.is_virtual or dataset.chunks is not None:
        raise ValueError(f"the numbers of {name!r} are compressed or kept elsewhere, which Keras never does")
    if dataset.id.get_storage_size() < dataset.size * dataset.dtype.itemsize:
        raise ValueError(f"the numbers of {name!r} are missing")
    return dataset


def _numbers(path: Path, name: str) -> np.ndarray:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return np.asarray(_plain(_member(file, name.strip("/")), name)[()])
    except Exception as error:  # as above
        path.open("rb").close()
        raise ValueError(said(error)) from error
