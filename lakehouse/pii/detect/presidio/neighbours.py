"""What its neighbours make of a word's vector, in quicker arithmetic.

spaCy's models look at a word and its neighbours in a few layers of the same make: the vectors of a window
side by side, a matrix, the greatest of some pieces, a norm, and all that added to the word's own. That is
most of the arithmetic of a model. BLIS, which spaCy uses, takes three times as long for the matrix as NumPy's
own library, and the arrays between the steps are made anew each time; here they are few, small enough to stay
near the processor, and used again.

The results differ from spaCy's in the last places. They are for those who ask whether that can matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_ROWS: Final = 256
_TINY: Final = np.float32(1e-8)
_LAYER: Final = ("expand_window", "maxout", "layernorm")
_NEAR: Final = 1e-4


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer.

    Args:
        weights: From a window to all pieces; those that compete lie a width apart.
        bias: Of the pieces.
        scale: Of the norm.
        shift: Of the norm.
    """

    weights: Floats
    bias: Floats
    scale: Floats
    shift: Floats

    @classmethod
    def of(cls, maxout: Any, norm: Any) -> Self:
        width, pieces, window = maxout.get_param("W").shape
        weights = maxout.get_param("W").transpose(1, 0, 2).reshape(pieces * width, window)
        return cls(
            weights=np.ascontiguousarray(weights.T),
            bias=np.ascontiguousarray(maxout.get_param("b").T).reshape(-1),
            scale=norm.get_param("G"),
            shift=norm.get_param("b"),
        )


class Neighbours:
    """The layers of one model.

    Args:
        layers: They, first to last.
        width: Of a word's vector.
        gap: Empty rows between two texts, as many as the layers can reach.
    """

    def __init__(self, layers: Sequence[_Layer], *, width: int, gap: int) -> None:
        self._layers = layers
        self._width = width
        self._gap = gap
        self._mean = np.full(width, 1 / width, dtype=np.float32)
        self._window = np.empty((_ROWS, 3 * width), dtype=np.float32)
        self._pieces = np.empty((_ROWS, layers[0].weights.shape[1]), dtype=np.float32)
        self._best = np.empty((_ROWS, width), dtype=np.float32)
        self._room = np.empty((0, width), dtype=np.float32)

    @classmethod
    def of(cls, model: Any) -> Self | None:
        """Reads the layers of a model.

        Args:
            model: What comes after the words' own vectors in a model of spaCy's.

        Returns:
            The layers; None for a model of another make, or where what they give here is not near to it.
        """
        layers = _layers(model)
        if not layers:
            return None
        width = len(layers[0].scale)
        if any(each.weights.shape[0] != 3 * width or each.weights.shape[1] % width for each in layers):
            return None
        quick = cls(layers, width=width, gap=model.attrs["pad"])
        some = np.random.default_rng(1).normal(size=(40, width)).astype(np.float32)
        lengths = [1, 7, 32]
        right = np.concatenate(model.predict(np.split(some, np.cumsum(lengths)[:-1])))
        return quick if bool(np.abs(quick.of_rows(some, lengths) - right).max() < _NEAR) else None

    def of_rows(self, words: Floats, lengths: Sequence[int]) -> Floats:
        """What the layers make of words.

        Args:
            words: The words' own vectors, those of all texts one after the other.
            lengths: Words of each text.

        Returns:
            As many rows.
        """
        gap = self._gap
        places = np.arange(len(words)) + np.repeat((np.arange(len(lengths)) + 1) * gap, lengths)
        rows = len(words) + (len(lengths) + 1) * gap
        # A row more at either end: what lies beyond is empty in every layer.
        if len(self._room) < 2 * (rows + 2):
            self._room = np.empty((2 * (rows + 2), self._width), dtype=np.float32)
        old, new = self._room[: rows + 2], self._room[rows + 2 : 2 * (rows + 2)]
        old[:] = 0
        old[places + 1] = words
        new[0] = new[-1] = 0
        for layer in self._layers:
            for first in range(1, rows + 1, _ROWS):
                self._step(layer, old, new, first, min(first + _ROWS, rows + 1))
            old, new = new, old
        return np.asarray(old[places + 1])

    def _step(self, layer: _Layer, old: Floats, new: Floats, first: int, end: int) -> None:
        width, count = self._width, end - first
        window, pieces, best = self._window[:count], self._pieces[:count], self._best[:count]
        window[:, :width] = old[first - 1 : end - 1]
        window[:, width : 2 * width] = old[first:end]
        window[:, 2 * width :] = old[first + 1 : end + 1]
        np.dot(window, layer.weights, out=pieces)
        pieces += layer.bias
        np.copyto(best, pieces[:, :width])
        for other in range(width, pieces.shape[1], width):
            np.maximum(best, pieces[:, other : other + width], out=best)
        mean = best @ self._mean
        best -= mean[:, None]
        spread = np.einsum("ij,ij->i", best, best) * self._mean[0] + _TINY
        best *= (1 / np.sqrt(spread))[:, None]
        best *= layer.scale
        best += layer.shift
        np.add(old[first:end], best, out=new[first:end])


def _layers(model: Any) -> list[_Layer]:
    """The layers of a model; none for one of another make."""
    if not model.name.startswith("with_array(") or len(model.layers) != 1:
        return []
    chain = model.layers[0]
    found: list[_Layer] = []
    for residual in (
        chain.layers if chain.name.startswith("residual(") and ">>residual(" in chain.name else [chain]
    ):
        if not residual.name.startswith("residual(") or len(residual.layers) != 1:
            return []
        steps = [each for each in residual.layers[0].walk() if not each.layers and each.name != "dropout"]
        if tuple(step.name for step in steps) != _LAYER or steps[0].attrs["window_size"] != 1:
            return []
        found.append(_Layer.of(steps[1], steps[2]))
    return found
