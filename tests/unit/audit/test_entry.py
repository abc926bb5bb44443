"""What a program says always fits the log."""

from hypothesis import given
from hypothesis import strategies as st

from mlstrata.audit import fitted, plain_text


@given(st.text(max_size=2000))
def test_whatever_a_program_says_stands_in_the_log(text: str) -> None:
    plain_text(fitted(text))


def test_plain_words_stand_as_they_are_and_a_secret_does_not() -> None:
    assert fitted("worse: errors 67 %") == "worse: errors 67 %"
    assert fitted("yes\nno") == "yes no"
    told = fitted("group password=hunter2 has 3 %")
    assert "hunter2" not in told
    assert "a password" in told
