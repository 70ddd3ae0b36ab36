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

_REMEMBERED: Final = 50_000


class WordVectors:
    """A spaCy model from words to vectors, with the same results.

    Args:
        model: The model, as spaCy's ``Tok2Vec`` components have it.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._split = _split(model)
        self._places: dict[bytes, int] = {}
        self._rows: npt.NDArray[np.float32] | None = None

    def of(self, docs: Sequence[Doc]) -> list[npt.NDArray[np.float32]]:
        """The vectors of the tokens of some texts, one array a text.

        Args:
            docs: Split texts.
        """
        if self._split is None or not any(len(doc) for doc in docs):
            return list(self._model.predict(list(docs)))
        features, mixing, neighbours = self._split
        rows = np.concatenate(features.predict(list(docs)))
        words = self._words(np.ascontiguousarray(rows), mixing)
        lengths = np.cumsum([len(doc) for doc in docs])[:-1]
        return list(neighbours.predict(np.split(words, lengths)))

    def _words(self, rows: npt.NDArray[np.uint64], mixing: Sequence[Any]) -> npt.NDArray[np.float32]:
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

    def _remember(self, keys: Sequence[bytes], mixed: npt.NDArray[np.float32]) -> None:
        first = len(self._places)
        self._places.update(zip(keys, range(first, first + len(keys)), strict=True))
        if self._rows is None:
            self._rows = np.empty((2 * len(mixed), mixed.shape[1]), dtype=np.float32)
        while len(self._rows) < len(self._places):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[first : len(self._places)] = mixed


def _split(model: Any) -> tuple[Any, tuple[Any, ...], Any] | None:
    """Features, their mixing, and what neighbours do; None for a model of another make."""
    if len(model.layers) != 2:
        return None
    words, neighbours = model.layers
    names = [layer.name.split(">>")[0] for layer in words.layers]
    known = ["extract_features", "list2ragged", "with_array(ints-getitem", "with_array(maxout", "ragged2list"]
    return (words.layers[0], tuple(words.layers[1:]), neighbours) if names == known else None
