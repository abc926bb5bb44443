"""The portal beside the real recorder and the real Prometheus: what it sends is kept, and what it asks for is drawn."""

import os
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from mlstrata.services.alerts.prometheus import render_target
from mlstrata.services.alerts.settings import Target
from mlstrata.services.catalog.live.series import by_label, prometheus
from mlstrata.services.catalog.plots import course
from mlstrata.services.http import settings_file
from mlstrata.services.recording.names import SERVICE, TOKEN_FILE
from mlstrata.services.recording.settings import RecorderSettings, recorded
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Queue
from tests.support.catalog import OPERATOR, PYTHON, ROOT, SPEC, SYSTEM, Service
from tests.support.patience import PATIENCE, eventually
from tests.support.portal import WAITS, busy
from tests.unit.catalog.test_portal import REVIEW, form_of, post

TOOLS = Path(os.environ.get("MLSTRATA_TOOLS") or Path.home() / ".cache/mlstrata/tools")
PROMETHEUS = TOOLS / "bin/prometheus"
SETTINGS = settings_file(SERVICE)


def start(*command: object) -> subprocess.Popen:
    return subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(PATIENCE)
    process.stdout.close()


def test_a_decision_is_in_the_recorder_s_store_and_the_row_waits_no_more(tmp_path):
    service = Service(tmp_path, busy)
    token = tmp_path / TOKEN_FILE
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text("r" * 32)
    token.chmod(0o600)
    settings = RecorderSettings(
        port=0, token_file=token, home=tmp_path, predictions=86_400 * 400, systems=recorded(SPEC)
    )
    (tmp_path / SETTINGS).write_text(settings.model_dump_json())
    recorder = start(PYTHON, "-m", "mlstrata.services.recording", "--settings", tmp_path / SETTINGS)
    try:
        port = int(recorder.stdout.readline().rpartition(":")[2])
        (tmp_path / SETTINGS).write_text(settings.model_copy(update={"port": port}).model_dump_json())
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200)
        with service.person(OPERATOR, "ada") as client:
            answer = post(client, REVIEW, form_of(client.get(REVIEW).text) | {"truth": "yes"})
        assert answer.status_code == 200
        assert "2 rows wait" in answer.text
    finally:
        end(recorder)
        service.end()
    store = open_store(tmp_path, read_only=True)
    known = store.known(WAITS)[0].feedback
    assert (known.truth, known.reviewer) == ("yes", "ada")
    assert [one.id for one in store.waiting(Queue.REVIEW, SYSTEM, 9)] == ["wait-0002", "wait-0003"]
    store.close()


@pytest.mark.skipif(not PROMETHEUS.exists(), reason="needs Prometheus: run `make install`")
def test_a_course_is_what_prometheus_kept(tmp_path):
    now = time.time()
    series = f'mlstrata_drift_psi{{system="{SYSTEM}",version="1",column="pirat"}}'
    lines = "".join(f"{series} {minute / 100} {now - 3600 + minute * 60:.0f}\n" for minute in range(50))
    figures, data = tmp_path / "figures", tmp_path / "data"
    figures.write_text(f"# TYPE mlstrata_drift_psi gauge\n{lines}# EOF\n")
    tool = Path(PROMETHEUS.parent / "promtool")
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", figures, data], check=True, capture_output=True)
    port = free_port()
    (tmp_path / "prometheus.yml").write_text("{}")
    server = start(
        PROMETHEUS,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    targets = tmp_path / "config/prometheus/targets/prometheus.json"
    targets.parent.mkdir(parents=True)
    targets.write_text(render_target(Target(service="prometheus", port=port, path="/metrics", system="platform")))
    try:
        url = prometheus(tmp_path)
        eventually(lambda: answers(f"{url}/-/ready"))
        found = by_label(url, "mlstrata_drift_psi", SYSTEM, "column", now=now, window=7200)
    finally:
        end(server)
    assert list(found) == ["pirat"]
    drawn = course(found["pirat"], 0.2)
    assert (drawn.lowest, drawn.last) == (pytest.approx(0.0, abs=0.03), pytest.approx(0.49, abs=0.03))
    with pytest.raises(ValueError, match="does not answer"):
        by_label(url, "mlstrata_drift_psi", SYSTEM, "column", now=now, window=7200)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_without_prometheus_there_is_no_address_and_a_damaged_file_is_named(tmp_path):
    assert prometheus(tmp_path) is None
    targets = tmp_path / "config/prometheus/targets/prometheus.json"
    targets.parent.mkdir(parents=True)
    targets.write_text("[]")
    with pytest.raises(ValueError, match=r"targets/prometheus\.json is not as"):
        prometheus(tmp_path)
