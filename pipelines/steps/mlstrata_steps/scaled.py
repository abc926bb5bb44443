"""Images as numbers: the part of a fitted model that makes the greys of a small square of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from mlstrata_steps.pictures import LARGEST, picture_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 16
"""Pixels of the square's side: a learner of tables sees its square as columns."""


class Pictures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Scales the images of one column to a square of greys, 0 to 1; a missing one is black."""

    def __init__(self, side: int = SIDE) -> None:
        """Scale to `side` pixels each way."""
        self.side = side

    def fit(self, images: Any, _labels: Any = None) -> Pictures:  # noqa: ARG002 - of scikit-learn's contract
        """Learn nothing."""
        self.n_features_in_ = 1
        return self

    def transform(self, images: Any) -> NDArray[np.float64]:
        """Return shape (rows, side * side).

        Args:
            images: One column, shape (rows,) or (rows, 1): a file in base64 a row, or None.

        Raises:
            PictureError: One of them is no image.
        """
        import numpy as np

        cells = np.asarray(images, dtype=object).reshape(-1)
        found = np.zeros((len(cells), self.side * self.side))
        for row, cell in enumerate(cells):
            if isinstance(cell, str):
                small = picture_of(cell, LARGEST).convert("L").resize((self.side, self.side))
                found[row] = np.asarray(small, dtype="float64").reshape(-1) / 255
        return found
