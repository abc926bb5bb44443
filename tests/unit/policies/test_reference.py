"""The page that lists every policy is what the policies say."""

import re

import pytest

from mlstrata.policies.core import reference
from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.papers import kinds
from mlstrata.policies.rules import RULES


def test_it_is_up_to_date(capsys):
    assert reference.main(["--check"]) == 0, capsys.readouterr().err


def test_it_has_every_policy_once_with_what_it_serves():
    rows = [line for line in reference.text().partition("## Papers")[0].splitlines() if re.match(r"\| \d+ `", line)]
    assert sorted(row.split("`")[1] for row in rows) == sorted(CATALOGUE)
    for row, rule in ((row, rule) for row in rows for rule in RULES if f"`{rule.id}`" in row):
        assert rule.title in row
        assert all(reference_ in row for reference_ in rule.references)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("aia-kill-switch", "| high | from 2027-12-02 |"),
        ("aia-literacy-record", "| any tier | advises |"),
        ("life-promotion-gate", "| always; advises below stage scale |"),
        ("sec-pod-restricted` R", "| - | always |"),
    ],
)
def test_it_says_of_whom_and_from_when(policy, words):
    (row,) = (line for line in reference.text().splitlines() if f"`{policy}" in line)
    assert words in row


def test_it_says_what_every_paper_must_speak_of():
    papers = reference.text().partition("## Papers")[2]
    assert "| `dpia` | (a) the processing and its purposes (Art. 35(7)(a)); (b) " in papers
    assert all(f"`{kind}`" in papers for kind in kinds())


def test_a_stale_page_is_told_and_mended(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FILE", tmp_path / "policies.md")
    monkeypatch.setattr(reference, "FRAMEWORKS", tmp_path / "frameworks.md")
    assert reference.main(["--check"]) == 1
    assert "run: python -m mlstrata.policies.core.reference" in capsys.readouterr().err
    assert reference.main([]) == reference.main(["--check"]) == 0
    assert reference.main(["--chek"]) == 2
