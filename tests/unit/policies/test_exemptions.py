"""A file of exemptions is read whole or refused with every mistake in it."""

from datetime import date, timedelta

import pytest

from policies.exemptions import ExemptionErrors, load
from policies.rules import IDS
from policies.samples import TODAY

GOOD = """
exemptions:
  - policy: sec-image-digest-pinned
    environments: [prod]
    match: "*"
    reason: The lock of images is not written yet.
    approver: cto
    ticket: ML-212
    expires: {expires}
"""


def read(tmp_path, text: str):
    path = tmp_path / "exemptions.yaml"
    path.write_text(text)
    return load(path, IDS, TODAY)


def entry(expires: date = TODAY) -> str:
    return GOOD.format(expires=expires)


def test_a_good_file(tmp_path):
    (found,) = read(tmp_path, entry(TODAY + timedelta(days=366)))
    assert found.covers("sec-image-digest-pinned", "prod", "mlflow")
    assert "ML-212" in str(found)


def test_no_file_is_no_exemption(tmp_path):
    assert load(tmp_path / "none.yaml", IDS, TODAY) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (entry(TODAY + timedelta(days=367)), "over a year away"),
        (entry().replace("sec-image-digest-pinned", "sec-image-pinned"), "got 'sec-image-pinned', which is no policy"),
        (entry().replace("sec-image-digest-pinned", "aia-prohibited-practice"), "nobody can exempt"),
        (entry().replace("    approver: cto\n", ""), ".approver: field required"),
        (entry().replace("ticket: ML-212", "ticket: ''"), ".ticket:"),
        (entry().replace("environments: [prod]", "environments: []"), ".environments:"),
        (entry() + "    until: never\n", ".until:"),
        (entry().replace(f"{TODAY}", "soon"), ".expires:"),
        ("exemptions: none\n", "got no list"),
        ("- a\n", "got no list"),
        ("", "got no list"),
        ("exemptions:\n  - {\n", "not valid YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, words):
    with pytest.raises(ExemptionErrors) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert "exemptions.yaml" in str(caught.value)


def test_every_mistake_is_named_at_once(tmp_path):
    two = entry().replace("cto", "''") + entry(TODAY + timedelta(days=900)).split("exemptions:\n")[1]
    with pytest.raises(ExemptionErrors) as caught:
        read(tmp_path, two)
    assert [message.split("]")[0][-1] for message in caught.value.messages] == ["0", "1"]
