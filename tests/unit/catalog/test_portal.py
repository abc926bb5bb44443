"""The pages about this moment, over a home in which a rollout runs, an alert fires and rows wait for a person."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from mlstrata.services.monitor.verdict import folder
from tests.support.catalog import OPERATOR, REQUEST, SYSTEM, Service
from tests.support.patience import eventually
from tests.support.portal import GROUP, LABELLED, ORIGIN, WAITS, busy, verdict
from tests.unit.catalog.test_service import Page

REVIEW = f"/queues/review/{SYSTEM}"
PAGES = ("/", "/?follow", "/queues", REVIEW, f"/queues/labelling/{SYSTEM}", f"/systems/{SYSTEM}")


class Taker(ThreadingHTTPServer):
    """Takes what is decided or ordered, as the recorder and the learning process do; refuses the row `gone`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[str, str, dict[str, object]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Taker

    def do_POST(self):
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.taken.append((self.path, self.headers["authorization"], document))
        refused = document.get("id") == "gone"
        answer = {"error": {"message": "no such row"}} if refused else {"changed": 1, "told": "it is done"}
        body = json.dumps(answer).encode()
        self.send_response(404 if refused else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("home"), busy)
    try:
        yield made
    finally:
        made.end()


@contextmanager
def taking(home: Path, name: str) -> Iterator[Taker]:
    """A service of the environment, which `up` has written the settings of."""
    with Taker() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = home / f"config/{name}"
        config.mkdir(parents=True, exist_ok=True)
        token = config / "token"
        token.write_text(name[0] * 32)
        token.chmod(0o600)
        settings = {"port": server.server_address[1], "token_file": str(token), "systems": {}}
        (config / f"{name}.json").write_text(json.dumps(settings))
        yield server
        (config / f"{name}.json").unlink()
        server.shutdown()


@pytest.fixture
def recorder(service) -> Iterator[Taker]:
    with taking(service.home, "recorder") as server:
        yield server


@pytest.fixture
def learning(service) -> Iterator[Taker]:
    with taking(service.home, "learning") as server:
        yield server


def form_of(text: str) -> dict[str, str]:
    """The first form of a page that changes something, as a browser would send it."""
    fields = Page(text).all("input")
    first = next(at for at, one in enumerate(fields) if one.get("name") == "form")
    return {one["name"]: one.get("value", "") for one in fields[first : first + 3]}


def post(client, path: str, form: dict[str, str]):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return client.post(path, content=urlencode(form), headers=headers)


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_one_that_a_screen_reader_can_use(service, path):
    with service.person(OPERATOR, "ada") as client:
        answer = client.get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert len(page.text("h1")) == 1
    assert not page.all("script")
    labelled = {one["for"] for one in page.all("label")}
    assert {one["id"] for one in page.all("input") if one.get("type") != "hidden"} <= labelled
    ids = [one["id"] for _, one in page.found if "id" in one]
    assert len(ids) == len(set(ids))


def test_the_first_page_says_what_goes_on(service):
    page = Page(service.program.get("/").text)
    said = " ".join(text for _, text in page.words)
    for what in (
        "version 1",
        "champion, 90 %",
        "candidate, 10 %",
        "canary, step 1",
        "drift",
        "pirat 0.61",
        "InputDrift",
    ):
        assert what in said
    assert "3 for review" in said
    assert "runner does not answer" not in said, "that alert is over"
    assert [one["aria-label"] for one in page.all("svg")] == ["version 1 90 %, version 2 10 %"]


def test_services_with_a_process_run_and_others_are_down(service):
    page = Page(service.program.get("/").text)
    names, states = page.text("th"), page.text("span")
    assert {"catalog", "gateway", "mlflow", "runner"} <= set(names)
    assert (states.count("running"), states.count("down")) == (1, 3)


def test_a_page_loads_itself_again_only_where_asked_to(service):
    def refreshed(path: str) -> bool:
        return any(one.get("http-equiv") == "refresh" for one in Page(service.program.get(path).text).all("meta"))

    assert refreshed("/?follow")
    assert not refreshed("/")
    assert "/?follow" in [one["href"] for one in Page(service.program.get("/").text).all("a")]


def test_a_queue_shows_rows_without_protected_attributes(service):
    text = service.program.get(REVIEW).text
    assert WAITS in text
    assert "0.41" in text
    for hidden in ("hidden-single", f">{GROUP}<", f">{ORIGIN}<", "secret"):
        assert hidden not in text


def test_a_reader_sees_no_form_and_may_decide_nothing(service, recorder):
    with service.person() as client:
        page = client.get(REVIEW)
        assert [one["action"] for one in Page(page.text).all("form")] == ["/logout"]
        assert post(client, REVIEW, {"id": WAITS, "truth": "yes", "form": "x"}).status_code == 403
    assert post(service.stranger, REVIEW, {"id": WAITS, "truth": "yes"}).status_code == 401
    assert post(service.program, REVIEW, {"id": WAITS, "truth": "yes"}).status_code == 401
    assert recorder.taken == []


def test_an_operator_s_decision_goes_to_the_recorder_with_their_name(service, recorder):
    with service.person(OPERATOR, "ada") as client:
        form = form_of(client.get(REVIEW).text) | {"truth": "yes"}
        answer = post(client, REVIEW, form)
        assert answer.status_code == 200
        assert f"Kept: {WAITS} is yes, decided by ada." in answer.text
        gone = post(client, REVIEW, form | {"id": "gone"})
        assert gone.status_code == 409
        assert "no such row" in gone.text
        assert post(client, REVIEW, form | {"truth": " "}).status_code == 409
    path, token, document = recorder.taken[0]
    assert (path, token) == (f"/queue/review/{SYSTEM}", "Bearer " + "r" * 32)
    assert document == {"id": WAITS, "instance": 0, "truth": "yes", "reviewer": "ada"}


def test_a_form_of_another_session_counts_for_nothing(service, recorder):
    with service.person(OPERATOR, "eve") as other:
        form = form_of(other.get(REVIEW).text) | {"truth": "no"}
    with service.person(OPERATOR, "ada") as client:
        assert post(client, REVIEW, form).status_code == 403
        assert post(client, REVIEW, form | {"form": ""}).status_code == 403
    assert recorder.taken == []


def test_without_a_recorder_it_is_said(service):
    with service.person(OPERATOR, "ada") as client:
        answer = post(client, REVIEW, form_of(client.get(REVIEW).text) | {"truth": "yes"})
    assert answer.status_code == 409
    assert "has no recorder" in answer.text


def test_an_operator_who_types_the_token_gives_a_name(service):
    assert "type your name too" in post(service.stranger, "/login", {"token": OPERATOR}).text
    answer = post(service.stranger, "/login", {"token": OPERATOR, "name": "ada\n lovelace"})
    assert answer.status_code == 303
    assert "ada lovelace, operator" in service.stranger.get("/").text
    service.stranger.cookies.clear()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (f"data/monitor/{SYSTEM}/verdict.json", "verdict.json is not what the monitor writes"),
        (f"data/serving/{SYSTEM}/releases.json", f"releases of {SYSTEM}: "),
        ("data/recorder/predictions.db", "queues: cannot be read"),
        ("data/learning/journal.db", "learning: cannot be read"),
    ],
)
def test_a_damaged_source_is_named_and_hides_no_other(tmp_path, file, said):
    damaged = Service(tmp_path, busy)
    try:
        (tmp_path / file).write_bytes(b"{damaged")
        for path in ("/", "/queues", REVIEW, f"/systems/{SYSTEM}"):
            answer = damaged.program.get(path)
            assert answer.status_code == 200
        first, page = (damaged.program.get(path).text for path in ("/", f"/systems/{SYSTEM}"))
        assert said in first + page
        assert all("InputDrift" in text for text in (first, page))
    finally:
        damaged.end()


def test_a_verdict_is_read_again_each_time(service):
    path = folder(service.home, SYSTEM) / "verdict.json"
    before = path.read_text()
    try:
        path.write_text(verdict(findings=()).model_dump_json())
        assert "912 rows judged" in service.program.get("/").text
        path.unlink()
        assert "no monitor looked at it" in service.program.get("/").text
    finally:
        path.write_text(before)


def test_a_system_s_page_has_each_figure_drawn_and_in_a_table(service):
    text = service.program.get(f"/systems/{SYSTEM}").text
    page = Page(text)
    said = " ".join(text for _, text in page.words)
    for what in ("Live performance", "Drift of inputs", "Drift of answers", "Differences between groups", "met"):
        assert what in said
    assert "0.74 to 0.84, 412 rows" in said
    assert "Rollout of version 2" in said
    assert "retraining after drift of pirat" in said
    assert "pirat has drifted: PSI 0.61, limit 0.2" in said
    assert said.count("240 more requests are needed") == 2, "as evidence of the rollout, and among the notes"
    assert "InputDrift: 120 of 200 labelled rows" in said
    assert [text for text in page.text("td") if text in {"release", "rollout-begin"}] == ["rollout-begin", "release"]
    drawn = [one["aria-label"] for one in page.all("svg") if one.get("class") == "plot"]
    assert len(drawn) == 6
    assert all("the table has the same figures" in label for label in drawn)
    alerting = [one for one in page.all("rect") if one.get("class") == "value alert"]
    assert len(alerting) == 1


def test_a_rollout_s_figures_are_drawn_and_in_tables(service):
    page = Page(service.program.get(f"/systems/{SYSTEM}").text)
    cells = page.text("td")
    assert "260 of 500 requests, 19 min of 10 min" in cells
    assert "to come" in cells, "the step of 50 %"
    assert [cells[at : at + 8] for at, one in enumerate(cells) if one in {"2400", "260"}][0::2] == [
        ["2400", "9", "14", "0", "2400", "31", "1500", "0.82"],
        ["260", "2", "3", "0", "260", "4", "180", "0.833"],
    ]
    rows = page.text("th")
    assert {"errors", "slow", "fallbacks", "worth", "1, champion", "2, candidate"} <= set(rows)
    label = "How much worse version 2 is than version 1, drawn; the table has the same figures"
    assert label in [one.get("aria-label") for one in page.all("svg")]
    assert sum(one.get("class") == "limit" for one in page.all("path")) >= 4
    assert "not certain" in page.text("span")


def test_figures_of_another_step_are_none_of_this_one_and_a_damaged_file_is_said(service):
    path = service.home / f"data/serving/{SYSTEM}/rollout.json"
    before = path.read_text()
    try:
        for text, said in ((before.replace('"candidate": "2"', '"candidate": "3"'), "none yet"), ("{", "rollout.json")):
            path.write_text(text)
            shown = service.program.get(f"/systems/{SYSTEM}").text
            assert "What the rollout has shown" not in shown
            assert said in shown
    finally:
        path.write_text(before)


def test_a_prediction_shows_all_but_protected_attributes(service):
    text = service.program.get(f"/predictions?id={REQUEST}").text
    said = " ".join(text for _, text in Page(text).words)
    for what in ("0.41", "+0.12", "the model", "range:pirat", "not known yet"):
        assert what in said
    for hidden in ("hidden-single", f">{GROUP}<", f">{ORIGIN}<"):
        assert hidden not in text
    labelled = service.program.get(f"/predictions?id={LABELLED}").text
    assert "decided by ada" in labelled
    assert "secret" not in labelled


def test_of_a_system_that_is_declared_no_more_no_row_is_shown(service):
    before = service.declared.read_text()
    declared = json.loads(before)
    declared["systems"] = [one for one in declared["systems"] if one["name"] != SYSTEM]
    try:
        service.declared.write_text(json.dumps(declared))
        eventually(lambda: SYSTEM not in service.program.get("/api/systems").text)
        assert "range:pirat" not in service.program.get(f"/predictions?id={LABELLED}").text
    finally:
        service.declared.write_text(before)
        eventually(lambda: SYSTEM in service.program.get("/api/systems").text)


ORDERS = f"/systems/{SYSTEM}/orders"


def test_an_operator_s_order_goes_to_the_learning_process_with_name_and_reason(service, learning):
    with service.person(OPERATOR, "ada") as client:
        text = client.get(f"/systems/{SYSTEM}").text
        offered = [one["value"] for one in Page(text).all("input") if one.get("name") == "order"]
        assert offered == ["stop", "approve", "abort"]
        form = form_of(text) | {"reason": "it harms  people"}
        answer = post(client, ORDERS, form)
        assert (answer.status_code, "Done: it is done. Ordered by ada" in answer.text) == (200, True)
        for wrong in ({"reason": " "}, {"order": "explode"}):
            assert post(client, ORDERS, form | wrong).status_code == 409
        assert post(client, ORDERS, form | {"form": "x"}).status_code == 403
        assert post(client, "/systems/nobody/orders", form).status_code == 404
    taken = [("/systems/mortgage-approval/orders", "Bearer " + "l" * 32)]
    assert [(path, token) for path, token, _ in learning.taken] == taken
    assert learning.taken[0][2] == {"order": "stop", "reason": "it harms people", "who": "ada"}


def test_a_reader_orders_nothing(service, learning):
    with service.person() as client:
        text = client.get(f"/systems/{SYSTEM}").text
        assert "You may read only" in text
        assert post(client, ORDERS, {"order": "stop", "reason": "why", "form": "x"}).status_code == 403
    assert learning.taken == []


def test_without_a_learning_process_the_commands_are_shown(service):
    with service.person(OPERATOR, "ada") as client:
        said = Page(client.get(f"/systems/{SYSTEM}").text).text("code")
    assert f'mlstrata stop local {SYSTEM} --reason "WHY"' in said
    assert f'mlstrata rollout local {SYSTEM} --approve --reason "WHY"' in said


def test_a_stopped_system_is_said_to_be_so_and_may_be_resumed(service):
    path = service.home / f"data/serving/{SYSTEM}/releases.json"
    before = path.read_text()
    stopped = {"when": "2026-11-30T10:00:00Z", "who": "ada", "why": "it harms people"}
    try:
        path.write_text(json.dumps(json.loads(before) | {"stopped": stopped}))
        assert "stopped" in Page(service.program.get("/").text).text("span")
        text = service.program.get(f"/systems/{SYSTEM}").text
        assert "it harms people" in text
        assert f"mlstrata resume local {SYSTEM}" in text
        assert f"mlstrata stop local {SYSTEM}" not in text
    finally:
        path.write_text(before)
