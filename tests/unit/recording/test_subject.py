"""A person has one hash wherever it is made, and another in another environment."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.recording.subject import keyed_hash, subject_hash

KEY = "a-key-of-the-environment"
WORDS = st.text(min_size=1).filter(str.strip)


def test_it_is_an_hmac_over_the_purpose_and_the_value():
    # From `printf '7:subjectC-17' | openssl dgst -sha256 -hmac a-key-of-the-environment`.
    assert subject_hash(KEY, "C-17") == "5f08339c42972137b9a0e4e7cf701847"


@given(WORDS, st.sampled_from(["", " ", "\n", "\t "]))
def test_what_surrounds_or_composes_a_name_does_not_count(subject, space):
    assert subject_hash(KEY, space + unicodedata.normalize("NFD", subject) + space) == subject_hash(KEY, subject)


@given(st.integers())
def test_a_number_is_its_digits(number):
    assert subject_hash(f"{KEY}\n", number) == subject_hash(KEY, str(number))


@given(WORDS, WORDS)
def test_another_key_or_purpose_makes_another_hash(key, other):
    assert (keyed_hash(key, "a", "1") == keyed_hash(other, "a", "1")) is (key.strip() == other.strip())
    assert keyed_hash(key, "a", "b1") != keyed_hash(key, "ab", "1")


@pytest.mark.parametrize(("key", "subject"), [("", "C-17"), (" \n", "C-17"), (KEY, ""), (KEY, " \t")])
def test_nothing_is_hashed_by_nothing(key, subject):
    with pytest.raises(ValueError, match="is empty; "):
        subject_hash(key, subject)
