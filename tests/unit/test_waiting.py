"""Waiting: at least one attempt, none too many, and the last answer."""

import pytest

from mlstrata import waiting


def test_it_ends_with_the_first_true_answer():
    answers = iter([0, "", "third", "fourth"])
    assert waiting.until(lambda: next(answers), 60, 0) == "third"
    assert next(answers) == "fourth"


def test_without_time_there_is_one_attempt():
    asked = []
    assert waiting.until(lambda: asked.append(1), 0) is None
    assert asked == [1]


def test_the_time_ends(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    asked = []
    assert waiting.until(lambda: bool(asked.append(now[0])), 1.0, 0.4) is False
    assert asked == pytest.approx([0.0, 0.4, 0.8, 1.2])


def test_an_error_that_may_pass_is_tried_again_and_another_is_not():
    told = iter([ConnectionError("not yet"), ConnectionError("not yet"), None, ValueError("never")])

    def call():
        if error := next(told):
            raise error
        return "answer"

    assert waiting.retry(call, 60, lambda error: isinstance(error, ConnectionError), 0) == "answer"
    with pytest.raises(ValueError, match="never"):
        waiting.retry(call, 60, lambda error: isinstance(error, ConnectionError), 0)


def test_the_last_error_is_raised_when_the_time_is_over():
    asked = []

    def call():
        asked.append(1)
        raise ConnectionError("still not")

    with pytest.raises(ConnectionError, match="still not"):
        waiting.retry(call, 0, lambda _error: True)
    assert asked == [1]


def test_several_right_answers_in_a_row_are_asked_for():
    answers = iter(["old", "new", "old", "new", "new", "new", "never asked"])
    assert waiting.steadily(lambda: next(answers), "new".__eq__, 3, 60, 0) == (True, "new")
    assert next(answers) == "never asked"


def test_a_wrong_answer_at_the_end_of_the_time_is_the_last():
    asked = iter(["new", "old", "never asked"])
    assert waiting.steadily(lambda: next(asked), "new".__eq__, 2, 0) == (False, "old")
    assert next(asked) == "never asked"
