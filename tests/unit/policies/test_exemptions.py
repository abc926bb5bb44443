"""A file of exemptions is read whole or refused with every mistake in it."""

from datetime import date, timedelta

import pytest

from mlstrata.policies.core.exemptions import load
from mlstrata.policies.core.files import PolicyErrors
from mlstrata.policies.fixtures.compliant_world import TODAY
from mlstrata.policies.rules import IDS

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
    return load(path, IDS, TODAY, frozenset({"prod", "staging"}))


def entry(expires: date = TODAY) -> str:
    return GOOD.format(expires=expires)


def test_a_good_file(tmp_path):
    (found,) = read(tmp_path, entry(TODAY + timedelta(days=366)))
    assert found.covers("sec-image-digest-pinned", "prod", "mlflow")
    assert "ML-212" in str(found)
    assert found.place.endswith("exemptions.yaml:3")


def test_several_names_are_matched_each(tmp_path):
    (found,) = read(tmp_path, entry().replace('match: "*"', "match: [mlflow, serving-*]"))
    subjects = ("mlflow", "serving-a", "catalog")
    assert [found.covers("sec-image-digest-pinned", "prod", one) for one in subjects] == [True, True, False]


def test_no_file_is_no_exemption(tmp_path):
    assert load(tmp_path / "none.yaml", IDS, TODAY) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            entry(TODAY + timedelta(days=367)),
            "yaml:9: exemptions[0].expires: got 2027-11-23, over a year away; allowed up",
        ),
        (
            entry().replace("sec-image-digest-pinned", "cost-owner-tag"),
            "yaml:3: exemptions[0].policy: got 'cost-owner-tag', which is no policy; did you mean 'cost-owner-tags'?",
        ),
        (entry().replace("sec-image-digest-pinned", "aia-prohibited-practice"), "nobody can exempt"),
        (entry().replace("    approver: cto\n", ""), "yaml:3: exemptions[0].approver: is missing; add 'approver': who"),
        (entry().replace("ticket: ML-212", "ticket: ''"), "yaml:8: exemptions[0].ticket: got ''; allowed text of"),
        (
            entry().replace("environments: [prod]", "environments: []"),
            "[0].environments: got 0 items; allowed at least",
        ),
        (entry().replace("environments: [prod]", "environments: prod"), "got 'prod'; allowed a list: […]"),
        (
            entry().replace("environments: [prod]", "environments: [prdo]"),
            "'prdo', and there is no such environment; al",
        ),
        (entry() + "    until: never\n", "yaml:10: exemptions[0].until: unknown key 'until'; allowed policy, mat"),
        (entry() + "    ticket: ML-3\n", "yaml:10: exemptions[0].ticket: the key is given twice, first in line 8"),
        (entry().replace(f"{TODAY}", "soon"), "yaml:9: exemptions[0].expires: got 'soon'; allowed a day written"),
        (entry().replace(f"{TODAY}", "20270531"), "got 20270531; allowed a day written YYYY-MM-DD"),
        ("exemptions: none\n", "yaml:1: exemptions: got 'none'; allowed a list"),
        ("exemptions: [gpu-limits-set]\n", "yaml:1: exemptions[0]: got 'gpu-limits-set'; allowed a mapping"),
        ("- a\n", "yaml:1: got ['a']; allowed a mapping (key: value); its keys are exemptions"),
        ("", "yaml:1: the file is empty; write `exemptions: []`"),
        ("exemptions:\n  - {\n", "not valid YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, words):
    with pytest.raises(PolicyErrors) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert "exemptions.yaml" in str(caught.value)


def test_every_mistake_is_named_at_once(tmp_path):
    two = entry().replace("cto", "''") + entry(TODAY + timedelta(days=900)).split("exemptions:\n")[1]
    with pytest.raises(PolicyErrors) as caught:
        read(tmp_path, two)
    assert [message.split("]")[0][-1] for message in caught.value.messages] == ["0", "1"]


def test_another_programs_stack_is_no_mistake(tmp_path):
    """A pack is asked by programs whose stacks have no file among the environments."""
    (found,) = read(tmp_path, entry().replace("[prod]", "[prod, billing-eu]"))
    assert found.environments == ("prod", "billing-eu")
