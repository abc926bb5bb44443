"""Does a free text hold the answer: in one of its words, or in all of them together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import Check
from mlstrata_steps.tasks.base import CLASSIFIER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.tasks import Task

VOCABULARY = 20_000
"""Words looked at, the commonest first."""
RAREST = 0.005
"""Share of the rows that must have a word: a rarer one tells few answers, and may be that of one person."""
FEWEST = 5
"""Rows that must have it, however few there are."""
LOOKED = 50
"""Words whose headline is measured: those that go most with the answer."""


@dataclass(frozen=True)
class Told:
    """What a text tells of the answer, by the headline of its task.

    Attributes:
        together: Of all words: of a simple model, each row told by one that did not see it; mean over the folds.
        alone: Of the single word that tells most, by whether a text has it.
        word: That word; empty where none is common enough.
    """

    together: float
    alone: float
    word: str

    def checks(self, name: str, unit: str, limit: float) -> list[Check]:
        """Refuse a word that is the answer; warn of a text that tells as much, since that of a good task does, too.

        Args:
            name: The column.
            unit: The headline's name.
            limit: The most that one may tell.
        """
        word = f"'{self.word}' alone reaches {unit} {self.alone:.3f}" if self.word else "no word is in rows enough"
        every = f"together they reach {unit} {self.together:.3f}"
        return [
            Check(
                f"no word of {name} is the answer",
                self.alone <= limit,
                f"{word}, at most {limit:g} allowed" if self.word else word,
            ),
            Check(
                f"the words of {name} are no answer",
                self.together <= limit,
                f"{every}; above {limit:g} look whether the text was written after the outcome",
                warns=True,
            ),
        ]


def in_words(column: pd.Series[object], task: Task, labels: NDArray[Any], folds: Sequence[NDArray[np.int64]]) -> Told:
    """Measure what the words of a free text tell of the answer.

    Args:
        column: A text a row, or None.
        task: What is asked.
        labels: Shape (rows,), what happened.
        folds: Each fold's rows.
    """
    import numpy as np
    from sklearn.linear_model import Ridge, SGDClassifier
    from sklearn.pipeline import make_pipeline

    from mlstrata_steps.prose import Prose

    frame, scores = column.to_frame(), []
    for fold in folds:
        others = np.setdiff1d(np.arange(len(labels)), fold)
        simple = SGDClassifier(loss="log_loss", random_state=0) if task.learns == CLASSIFIER else Ridge()
        model = make_pipeline(Prose(), simple).fit(frame.iloc[others], labels[others])
        scores.append(task.score(labels[fold], task.ask(model, frame.iloc[fold])))
    word, alone = _word(column, task, labels)
    return Told(float(np.mean(scores)), alone, word)


def _word(column: pd.Series[object], task: Task, labels: NDArray[Any]) -> tuple[str, float]:
    """Find the word whose presence alone tells most."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    least = max(FEWEST, round(RAREST * len(column)))
    counted = CountVectorizer(binary=True, min_df=least, max_features=VOCABULARY)
    try:
        present = counted.fit_transform([one if isinstance(one, str) else "" for one in column])
    except ValueError:
        return "", task.chance  # no word is common enough
    encoded = task.encoded(labels)
    encoded = (encoded - encoded.mean(axis=0)) / (encoded.std(axis=0) + 1e-12)
    share = np.asarray(present.mean(axis=0)).reshape(-1)
    # Correlation of having the word with each output: what is in all rows, or in none, has none.
    together = np.abs(np.asarray(present.T @ encoded) / len(labels)).max(axis=1) / np.sqrt(share * (1 - share) + 1e-12)
    names = counted.get_feature_names_out()
    best = ("", task.chance)
    for place in np.argsort(-together)[:LOOKED]:
        has = np.asarray(present[:, [place]].todense(), dtype="float64").reshape(-1)
        found = max(task.association(labels, has), task.association(labels, -has))
        if found > best[1]:
            best = (str(names[place]), found)
    return best
