"""How a dataset is written is declared in a closed form: what is not understood is refused with line and fix."""

import pytest

from mlstrata.environments import SpecErrors
from mlstrata.environments.loading.loader import loads
from mlstrata.environments.spec.data import DatasetSpec

HEAD = """name: dev
target: {kind: local}
stage: prerequisites
systems:
  - name: late
    purpose: Say who pays late.
    risk: {tier: minimal}
    model: {modality: tabular, target: late%s}
    data: [{name: rows, source: data/rows.csv%s}]
"""


def errors(data="", model=""):
    with pytest.raises(SpecErrors) as raised:
        loads((HEAD % (model, data)).encode(), "dev.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ('{delimeter: ";"}', "data[0].format.delimeter: unknown key 'delimeter'"),
        ('{delimeter: ";"}', "did you mean 'delimiter'?"),
        ('{delimiter: "; "}', "data[0].format.delimiter: got '; '; allowed one sign, such as ;"),
        ('{decimal: ";"}', "data[0].format.decimal: got ';'; allowed a point or a comma"),
        ('{decimal: ",", thousands: ","}', "data[0].format.thousands: got ',', which separates the decimals"),
        (
            "{encoding: utf-88}",
            "data[0].format.encoding: got 'utf-88'; allowed an encoding such as utf-8, windows-1252",
        ),
        ("{dates: DD.MM.YYYY}", 'allowed day, month and year in the signs of strptime; write "%d.%m.%Y"'),
        ("{kinds: {plz: strng}}", "data[0].format.kinds.plz: got 'strng'; allowed integer, number, boolean, string"),
        ("{kinds: {plz: strng}}", "did you mean 'string'?"),
        ("{missing: [NA, NA]}", "data[0].format.missing"),
    ],
)
def test_a_format_that_nothing_reads_is_refused(form, says):
    found = errors(f", format: {form}")
    assert says in found
    assert found.count("dev.yaml:9:") == 1


@pytest.mark.parametrize(
    ("settings", "path", "fix"),
    [
        ("parameters: {C: 1e-3}", "parameters.C: got the text '1e-3'", "write 1.0e-3"),
        ("parameters: {C: 25E2}", "parameters.C: got the text '25E2'", "write 25.0e+2"),
        ("parameters: {a: [1, 2.5e3]}", "parameters.a[1]: got the text '2.5e3'", "write 2.5e+3"),
        ("parameters: {C: .5e3}", "parameters.C: got the text '.5e3'", "write 0.5e+3"),
        ("parameters: {C: 0x10}", "parameters.C: got the text '0x10'", "write 16"),
        ("parameters: {C: 1_000}", "parameters.C: got the text '1_000'", "write 1000"),
        ("search: {space: {C: [1e-4, 1.0]}}", "search.space.C[0]: got the text '1e-4'", "write 1.0e-4"),
    ],
)
def test_a_number_that_yaml_takes_for_a_text_is_named_before_training(settings, path, fix):
    found = errors(model=f", settings: {{{settings}}}")
    assert f"model.settings.{path}; allowed a number" in found
    assert fix in found


def test_what_is_written_as_most_do_says_nothing():
    assert DatasetSpec(name="rows").written() == {}
    given = {"delimiter": ";", "missing": ["k.A."], "kinds": {"plz": "string"}}
    assert DatasetSpec.model_validate({"name": "rows", "format": given}).written() == given
