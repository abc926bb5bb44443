"""What the loader does with files, beyond the mistakes in them."""

import os
from pathlib import Path

import pytest

from mlstrata.environments import SpecErrors, load, load_with_places, loads

GOOD = b"""\
name: prod
target: {kind: local}
stage: scale
systems:
  - name: loans
    purpose: Help.
    risk: {tier: minimal}
    model:
      modality: tabular
"""


def said(caught: pytest.ExceptionInfo[SpecErrors]) -> str:
    return str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors, match=r"prod\.yaml: does not exist; write it, or name one that does$"):
        load(tmp_path / "prod.yaml")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_refused_and_hangs_nothing(make: object, tmp_path: Path) -> None:
    make(tmp_path / "prod.yaml")
    with pytest.raises(SpecErrors, match=r"prod\.yaml: is not a file; name a YAML file$"):
        load(tmp_path / "prod.yaml")


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        # The superuser, as which containers run, may read everything: the kernel's answer is given here.
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SpecErrors, match="cannot be read: Permission denied; make it readable for you"):
        load(tmp_path / "prod.yaml")


@pytest.mark.parametrize("path", ["a/prod.yaml", "pro\0d.yaml"], ids=["below a file", "no path"])
def test_a_path_that_leads_nowhere(path: str, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(SpecErrors, match="cannot be read: "):
        load(tmp_path / path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "prod.yaml").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(SpecErrors, match=r"has 5120\.0 MiB, more than an environment needs \(1 MiB\)"):
        load(tmp_path / "prod.yaml")


def test_other_encodings_name_the_byte() -> None:
    with pytest.raises(SpecErrors) as caught:
        loads("name: prod\nowner: müller@example.com\n".encode("latin-1"), "prod.yaml")
    assert said(caught) == "prod.yaml:2: byte 20 is not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert loads(b"\xef\xbb\xbf" + GOOD, "prod.yaml").spec.name == "prod"


def test_windows_line_ends_are_no_mistake() -> None:
    assert loads(GOOD.replace(b"\n", b"\r\n"), "prod.yaml").spec == loads(GOOD, "prod.yaml").spec


def test_files_are_called_as_seen_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "prod.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecErrors, match=r"^environments/prod\.yaml:1: "):
        load(folder / "prod.yaml")
    monkeypatch.chdir(folder)
    with pytest.raises(SpecErrors, match=r"^prod\.yaml:1: "):
        load(folder / "prod.yaml")


def test_a_bare_file_knows_its_places(tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_bytes(GOOD)
    loaded = load_with_places(tmp_path / "prod.yaml")
    assert loaded.place(("stage",)) == (3, 1)
    assert loaded.place(("systems", 0, "model", "modality")) == (9, 7)
    assert loaded.place(("systems", 0, "risk", "tier")) == (7, 12)


def test_what_the_file_does_not_write_is_placed_at_its_parent(tmp_path: Path) -> None:
    loaded = loads(GOOD, "prod.yaml")
    assert loaded.place(("systems", 0, "serving", "replicas", "min")) == (5, 5)
    assert loaded.place(("retention", "predictions")) == (1, 1)


def test_anchors_and_merges_are_followed_and_own_keys_win() -> None:
    text = (
        GOOD
        + b"""\
    serving: {sla: &fast {p99: 50ms, availability: 99.5}}
  - name: cards
    purpose: Help.
    risk: {tier: minimal}
    model: {modality: tabular}
    serving: {sla: {availability: 98, <<: *fast}}
"""
    )
    first, second = (system.serving.sla for system in loads(text, "prod.yaml").spec.systems)
    assert (second.p99, second.availability) == (first.p99, 98)


def test_an_error_in_a_merged_part_is_placed_where_it_is_written() -> None:
    text = (
        GOOD
        + b"""\
    rollout: &r {strategy: canarry}
  - name: cards
    purpose: Help.
    risk: {tier: minimal}
    model: {modality: tabular}
    rollout: {<<: *r}
"""
    )
    with pytest.raises(SpecErrors) as caught:
        loads(text, "prod.yaml")
    assert [(error.line, error.path) for error in caught.value.errors] == [
        (10, "systems[0].rollout.strategy"),
        (10, "systems[1].rollout.strategy"),
    ]


SECRETS = {
    "under a telling key": b"password: hunter2hunter2",
    "a cloud key": b"owner: AKIAIOSFODNN7EXAMPLE",
    "a token as a name": b"teams: [{name: ghp_16C7e42F292c6912E7710c838347Ae178B4a}]",
    "in an address": b"storage: {kind: s3, endpoint: 'https://admin:hunter2hunter2@objects.example.com'}",
    "random": b"enforce: q8Zr2LmX0vT5cYp9Kd7WbN3s",
    "hexadecimal": b"enforce: 9f86d081884c7d659a2feaa0c55ad015",
    "as a key": b"q8Zr2LmX0vT5cYp9Kd7WbN3s: 1",
    "a private key": b'owner: "-----BEGIN RSA PRIVATE KEY-----hunter2hunter2"',
    "in a path that is no document": GOOD[GOOD.index(b"systems") :]
    + b"    documents: {fria: 'ftp://a:hunter2hunter2@b/c'}",
    "in a reference": GOOD[GOOD.index(b"systems") :] + b"    team: ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "in a name given twice": b"teams: [{name: AKIAIOSFODNN7EXAMPLE}, {name: AKIAIOSFODNN7EXAMPLE}]",
    "beside a reference": b"teams: [{name: AKIAIOSFODNN7EXAMPLE}]\n"
    + GOOD[GOOD.index(b"systems") :]
    + b"    team: lending",
    "in a schedule": GOOD[GOOD.index(b"systems") :] + b"      schedule: 0 3 * * AKIAIOSFODNN7EXAMPLE",
    "as a setting": GOOD[GOOD.index(b"systems") :] + b"      settings: {AKIAIOSFODNN7EXAMPLE: 1}",
    "for a list": b"teams: AKIAIOSFODNN7EXAMPLE",
    "in a broken line": b'owner: "hunter2hunter2',
}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_secret_is_never_repeated(line: bytes) -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(b"name: prod\ntarget: {kind: local}\nstage: scale\n" + line + b"\n", "prod.yaml")
    for secret in ("hunter2hunter2", "IOSFODNN7", "F292c6912E", "vT5cYp9Kd7", "884c7d659a"):
        assert secret not in said(caught)
        assert not any(secret in str(vars(error)) for error in caught.value.errors)


def test_a_value_with_line_ends_stays_on_its_line() -> None:
    text = b'name: "pr\\nod"\ntarget: {kind: local}\nstage: scale\n"k\\ney": 1\n'
    with pytest.raises(SpecErrors) as caught:
        loads(text, "prod.yaml")
    assert len(said(caught).splitlines()) == len(caught.value.errors) == 2


def test_a_long_value_is_cut() -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(b"name: prod\ntarget: {kind: local}\nstage: " + b"very " * 1000 + b"\n", "prod.yaml")
    assert len(said(caught)) < 200


@pytest.mark.parametrize(
    ("problem", "place"),
    [
        ("systems[0].risk.tier: got nothing good", "prod.yaml:7: systems[0].risk"),
        ("systems[0].serving.limits: got too much", "prod.yaml:5: systems[0].serving"),
        ("stage: got too much", "prod.yaml:3: stage"),
        ("capability 'x' is not built", "prod.yaml: capability"),
    ],
)
def test_a_problem_that_is_found_later_gets_the_line_of_its_path(problem, place):
    told = str(loads(GOOD, "prod.yaml").error(problem))
    assert told.startswith(place)
    assert told.endswith(problem)
