"""What a training says of its trials."""

import pytest

from mlstrata.cli import train

GOOD = {"number": 2, "parameters": {"C": 0.5}, "score": 0.8312, "cached": False}
DECLARED = {"number": 1, "parameters": {}, "score": 0.82, "cached": True}
BROKEN = {"number": 1, "parameters": {"C": -1}, "cached": False, "error": "The 'C' parameter must be positive"}


@pytest.mark.parametrize(
    ("trials", "lines"),
    [
        ([], []),
        (
            [DECLARED, GOOD],
            [
                "2 of 3 trials, 1 known already; trial 2 is best on the validation folds: C 0.5, auc 0.8312 "
                "(as declared 0.8200)",
            ],
        ),
        (
            [BROKEN, GOOD],
            [
                "1 of 3 trials, 0 known already; trial 2 is best on the validation folds: C 0.5, auc 0.8312 "
                "(as declared no model)",
                "1 gave no model, such as trial 1: The 'C' parameter must be positive",
            ],
        ),
    ],
)
def test_the_best_the_declared_and_those_without_a_model(capsys, trials, lines):
    train._show_tuning({"tuning": {"trials": trials, "best": 2, "asked": 3, "metric": "auc"}})
    shown = capsys.readouterr().out.splitlines()
    assert [line.strip().removeprefix("tune").strip() for line in shown] == lines
