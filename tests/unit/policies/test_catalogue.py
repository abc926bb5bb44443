"""The catalogue has its policies, and each is there under its number."""

from pathlib import Path

from mlstrata.components.upstream.bill import BILL
from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.exemptions import load
from mlstrata.policies.fixtures.by_policy import cases_by_policy
from mlstrata.policies.fixtures.compliant_world import TODAY
from mlstrata.policies.rules import IDS, RULES
from mlstrata.policies.rules.security.images import REGISTRIES

ROOT = Path(__file__).parents[3]


def test_every_policy_of_the_catalogue_is_there_under_its_number():
    assert len(set(CATALOGUE)) == len(CATALOGUE) == 75
    assert [(rule.number, rule.id) for rule in RULES] == list(enumerate(CATALOGUE, start=1))


def test_every_policy_of_the_catalogue_has_fixtures_and_nothing_else_has():
    assert set(cases_by_policy()) == IDS


def test_every_policy_says_what_it_serves():
    for rule in RULES:
        assert rule.references, rule.id
        assert rule.title.endswith("."), rule.id
        assert not rule.holds.endswith("."), rule.id


def test_the_exemptions_that_are_shipped_are_well_formed():
    assert load(ROOT / "policies/exemptions.yaml", IDS, TODAY)


def test_the_readme_names_every_label_that_rules_read():
    import re

    text = (ROOT / "policies/README.md").read_text(encoding="utf-8")
    read = {
        label
        for path in (ROOT / "policies").rglob("*.py")
        for label in re.findall(r"mlstrata\.io/[a-z-]+", path.read_text(encoding="utf-8"))
    }
    assert not {label for label in read if label not in text}


def test_every_image_of_the_bill_of_materials_comes_from_an_allowed_registry():
    images = [str(image) for piece in BILL for image in piece.images]
    assert images
    assert [image for image in images if not image.startswith(REGISTRIES)] == []
    # Our own image is built, not bought, so it is not on the bill.
    assert [one for one in REGISTRIES if not any(image.startswith(one) for image in images)] == ["ghcr.io/mlstrata/"]
