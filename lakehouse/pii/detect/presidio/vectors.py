"""The vectors of words, of which each different word is looked up and mixed once.

spaCy's models take a token's vector from tables, by hashes of its features, and mix it by a matrix: a third
of all their arithmetic, and the same for each occurrence of a word. Only then do neighbours come in. A row
of a product does not depend on the rows beside it, to the last bit, so words can be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc
from thinc.api import NumpyOps

from lakehouse.pii.detect.presidio.neighbours import Neighbours

Floats = npt.NDArray[np.float32]

_REMEMBERED: Final = 50_000


class WordVectors:
    """A spaCy model from words to vectors.

    Args:
        model: The model, as spaCy's ``Tok2Vec`` components have it.
        quick: Whether to use arithmetic that is quicker and rounds otherwise in the last places; without it,
            the results are those of the model itself.
    """

    def __init__(self, model: Any, *, quick: bool = False) -> None:
        self._model = quick_copy(model) if quick else model
        self._split = _split(self._model)
        self._neighbours = Neighbours.of(self._split[2]) if quick and self._split is not None else None
        self._places: dict[bytes, int] = {}
        self._rows: Floats | None = None

    def of(self, docs: Sequence[Doc]) -> Floats:
        """The vectors of the tokens of some texts, those of one text after those of the other.

        Args:
            docs: Split texts, at least one with a token.
        """
        if self._split is None:
            return np.concatenate(self._model.predict(list(docs)))
        features, mixing, neighbours = self._split
        rows = np.concatenate(features.predict(list(docs)))
        words = self._words(np.ascontiguousarray(rows), mixing)
        lengths = [len(doc) for doc in docs]
        if self._neighbours is not None:
            return self._neighbours.of_rows(words, lengths)
        return np.concatenate(neighbours.predict(np.split(words, np.cumsum(lengths)[:-1])))

    def _words(self, rows: npt.NDArray[np.uint64], mixing: Sequence[Any]) -> Floats:
        """The mixed vector of each row of features."""
        width = rows.shape[1] * rows.itemsize
        raw = rows.tobytes()
        keys = [raw[start : start + width] for start in range(0, len(raw), width)]
        new = [
            place
            for key, place in dict(zip(keys, range(len(keys)), strict=True)).items()
            if key not in self._places
        ]
        if self._rows is None or len(self._places) + len(new) > _REMEMBERED:
            self._places.clear()
            self._rows = None
            new = list(dict(zip(keys, range(len(keys)), strict=True)).values())
        if new:
            mixed: Any = [rows[new]]
            for layer in mixing:
                mixed = layer.predict(mixed)
            self._remember([keys[place] for place in new], mixed[0])
        assert self._rows is not None  # noqa: S101
        return self._rows[[self._places[key] for key in keys]]

    def _remember(self, keys: Sequence[bytes], mixed: Floats) -> None:
        first = len(self._places)
        self._places.update(zip(keys, range(first, first + len(keys)), strict=True))
        if self._rows is None:
            self._rows = np.empty((2 * len(mixed), mixed.shape[1]), dtype=np.float32)
        while len(self._rows) < len(self._places):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[first : len(self._places)] = mixed


def quick_copy(model: Any) -> Any:
    """A model with the same weights that multiplies by NumPy's own library."""
    copy = model.copy()
    ops = NumpyOps(use_blis=False)
    for layer in copy.walk():
        layer.ops = ops
    return copy


def _split(model: Any) -> tuple[Any, tuple[Any, ...], Any] | None:
    """Features, their mixing, and what neighbours do; None for a model of another make."""
    if len(model.layers) != 2:
        return None
    words, neighbours = model.layers
    names = [layer.name.split(">>")[0] for layer in words.layers]
    known = ["extract_features", "list2ragged", "with_array(ints-getitem", "with_array(maxout", "ragged2list"]
    return (words.layers[0], tuple(words.layers[1:]), neighbours) if names == known else None
