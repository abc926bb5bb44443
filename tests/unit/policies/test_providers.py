"""What policies look for on AWS is what the provider has: a type or an input that nobody registers finds nothing."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import compliant
from mlstrata.policies.rules import RULES

ROOT = Path(__file__).parents[3]
PROVIDER = Path(str(find_spec("pulumi_aws").origin)).parent
NAMED = re.compile(r"\b(aws:([a-z0-9]+)/[A-Za-z0-9]+(?::[A-Za-z0-9]+)?)(?=[\"\n])")
FILES = [file for suffix in ("py", "yaml") for file in (ROOT / "policies").rglob(f"*.{suffix}")]
GETTER = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n(?:\s+@.*\n)*\s+def (\w+)\(')
# Inputs that no type has: the policy asks about whatever looks like a secret.
INVENTED = {"sec-no-plaintext-secret"}


@pytest.fixture(scope="module")
def types():
    """Type to the names of its inputs, of the modules that policies name."""
    sources = [file.read_text(encoding="utf-8") for file in FILES]
    found = {}
    for module in {module for text in sources for _, module in NAMED.findall(text)}:
        for file in PROVIDER.glob(f"{module}*/*.py"):  # Python keeps the word lambda for itself
            text = file.read_text(encoding="utf-8")
            for type_ in re.findall(r'type_token\("(aws:[^"]+)"', text):
                found[type_] = {written or plain for written, plain in GETTER.findall(text)}
    return found


def test_every_type_that_a_policy_names_is_one_of_the_providers(types):
    named = {type_ for file in FILES for type_, _ in NAMED.findall(file.read_text("utf-8"))}
    assert len(named) > 40
    assert not [one for one in sorted(named) if not any(type_.startswith(one) for type_ in types)]


def test_every_fixture_on_aws_writes_inputs_that_its_type_has(types):
    unknown = {}
    for rule in RULES:
        for case in cases_of(rule) if rule.id not in INVENTED else ():
            world = compliant()
            for edit in case.edits:
                edit(world)
            for one in world.resources.values():
                if one.type.startswith("aws:") and (odd := set(one.inputs) - types[one.type]):
                    unknown[rule.id, case.title, one.type] = odd
    assert unknown == {}
