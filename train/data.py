"""Batches as a function of the step: shuffled by epoch, made by threads ahead of time, and the same after a resume."""

import os
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, Self

import jax
import numpy as np

MakeSample = Callable[[int, np.random.Generator], dict[str, np.ndarray]]


def sample_indices(step: int, batch_size: int, count: int, seed: int) -> np.ndarray:
    """The samples of a step's batch: every epoch is a new permutation of `count` samples, read end to end.

    Returns (batch_size,) int64 indices below `count`.
    """
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = places // count
    orders = {int(epoch): np.random.default_rng((seed, int(epoch))).permutation(count) for epoch in np.unique(epochs)}
    return np.array([orders[int(epoch)][place % count] for epoch, place in zip(epochs, places, strict=True)])


def make_batch(step: int, batch_size: int, count: int, seed: int, sample: MakeSample) -> dict[str, np.ndarray]:
    """Draws and stacks the batch of a step; each sample has its own generator, so its augmentation is repeatable."""
    indices = sample_indices(step, batch_size, count, seed)
    rows = [sample(int(i), np.random.default_rng((seed, step, place))) for place, i in enumerate(indices)]
    return jax.tree.map(lambda *values: np.stack(values), *rows)


class Kept:
    """Remembers the arrays of `make(key)`, read-only, while they fit into `room` bytes; the others are made anew.

    Nothing is dropped for what comes later: an epoch goes through everything once, and in that order whatever was used
    least recently is what is needed next.
    """

    def __init__(self, make: Callable[[Any], np.ndarray], room: int = 2**30):
        self._make, self._left = make, room
        self._kept: dict[Hashable, np.ndarray] = {}
        self._lock = Lock()

    def __call__(self, key: Any) -> np.ndarray:
        """The array of `key`; raises what making it raised. May be called from several threads."""
        found = self._kept.get(key)
        if found is None:
            found = self._make(key)
            with self._lock:
                if key not in self._kept and found.nbytes <= self._left:
                    found.flags.writeable = False
                    self._kept[key] = found
                    self._left -= found.nbytes
        return found


def input_threads() -> int:
    """How many threads make the input of a training: an accelerator eats what two would not make."""
    return min(max(os.cpu_count() or 2, 2), 16)


class Prefetch:
    """Calls `make(step)` in threads a few steps ahead of the one that is asked for."""

    def __init__(self, make: Callable[[int], Any], ahead: int = 4, threads: int = 2):
        self._make, self._ahead = make, ahead
        self._pool = ThreadPoolExecutor(threads)
        self._futures: dict[int, Future] = {}

    def __call__(self, step: int) -> Any:
        """The batch of `step`; raises what making it raised."""
        for wanted in range(step, step + self._ahead + 1):
            if wanted not in self._futures:
                self._futures[wanted] = self._pool.submit(self._make, wanted)
        return self._futures.pop(step).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the threads; batches not yet begun are not made."""
        self._pool.shutdown(wait=True, cancel_futures=True)
