"""Free text as numbers: how often its words and pairs of words come, in a table of a fixed width.

Words are hashed (Weinberger et al. 2009), so a model holds none of the words that it learnt of, which may be those of a
person, and its size does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WIDTH = 2**16
"""Columns: 20,000 words and their pairs share few of them, and a linear model of it takes half a megabyte a class."""
TOPICS = 100
"""Columns of a model that cannot take as many: what is left of them by a truncated SVD (Deerwester et al. 1990)."""


class Prose(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Counts hashed words and pairs of words of one column, by TF-IDF; a missing text has none."""

    def __init__(self, width: int = WIDTH) -> None:
        """Hash into `width` columns."""
        self.width = width

    def fit(self, texts: Any, _labels: Any = None) -> Prose:
        """Learn how rare each word is.

        Args:
            texts: One column, shape (rows,) or (rows, 1): a text a row, or None.
        """
        self.rarity_ = TfidfTransformer(sublinear_tf=True).fit(self._counted(texts))
        return self

    def transform(self, texts: Any) -> csr_matrix:
        """Return shape (rows, width), each row of length 1, or empty."""
        return self.rarity_.transform(self._counted(texts))

    def _counted(self, texts: Any) -> csr_matrix:
        hashed = HashingVectorizer(n_features=self.width, ngram_range=(1, 2), alternate_sign=False, norm=None)
        return hashed.transform(_plain(texts))


def _plain(texts: Any) -> Iterable[str]:
    import numpy as np

    return [one if isinstance(one, str) else "" for one in np.asarray(texts, dtype=object).reshape(-1)]
