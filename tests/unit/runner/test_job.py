"""A run as a plain job: what it prints, how it ends."""

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest


def job(tmp_path, request, *options):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request) if isinstance(request, dict) else request)
    command = [sys.executable, "-m", "mlstrata.services.runner.job", "--settings", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("change", "says"),
    [("{", "Invalid JSON"), ({"algorithm": "svm"}, "algorithm: "), ({"speed": 1}, "speed: Extra inputs")],
)
def test_a_bad_request_exits_2(tmp_path, make_request, change, says):
    code, (line,) = job(tmp_path, change if isinstance(change, str) else make_request(**change))
    assert (code, line["state"]) == (2, "failed")
    assert says in line["error"]


def test_a_missing_request_exits_2(tmp_path):
    command = [sys.executable, "-m", "mlstrata.services.runner.job", "--settings", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such file" in json.loads(done.stdout)["error"]


@pytest.fixture
def registry():
    """Answer as MLflow does when asked for versions; keeps what it was asked."""
    asked, versions = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(parse_qs(urlparse(self.path).query)["filter"][0])
            body = json.dumps({"model_versions": versions}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked, versions
    server.shutdown()
    server.server_close()


def test_check_asks_the_registry_and_runs_nothing(tmp_path, make_request, registry):
    url, asked, versions = registry
    request = make_request(tracking_uri=url)
    code, (line,) = job(tmp_path, request, "--check")
    assert (code, line["result"]["version"]) == (0, None)
    assert asked == [f"name = 'system-fine' AND tags.fingerprint = '{line['result']['fingerprint']}'"]
    versions += [
        {"version": "2", "status": "READY"},
        {"version": "10"},
        {"version": "11", "status": "FAILED_REGISTRATION"},
    ]
    assert job(tmp_path, request, "--check")[1][0]["result"] == {**line["result"], "version": "10"}
    other = job(tmp_path, {**request, "algorithm": "random_forest"}, "--check")[1][0]
    assert other["result"]["fingerprint"] != line["result"]["fingerprint"]
    assert not (tmp_path / "work").exists()


def test_check_without_a_registry_is_one_sentence(tmp_path, make_request):
    code, (line,) = job(tmp_path, make_request(), "--check")
    assert code == 1
    assert line["error"].startswith("the registry at http://127.0.0.1:1 does not answer")


def test_a_proxy_of_the_machine_is_not_asked_for_its_own_registry(tmp_path, make_request, registry, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url, asked, _ = registry
    code, (line,) = job(tmp_path, make_request(tracking_uri=url), "--check")
    assert (code, line["result"]["version"], len(asked)) == (0, None, 1)


def test_check_without_its_data_is_one_sentence(tmp_path, make_request):
    code, (line,) = job(tmp_path, make_request(source=str(tmp_path / "none.csv")), "--check")
    assert code == 1
    assert "no file" in line["error"]


def test_a_pipeline_is_compiled_anew_when_any_of_its_code_changes(tmp_path):
    """A component's source is in the compiled file: an older file would go on running the older component."""
    from mlstrata.services.runner.job import pipelines_version

    shipped = Path(__file__).parents[3] / "pipelines"
    shutil.copytree(shipped, tmp_path / "pipelines")
    before = pipelines_version(tmp_path / "pipelines")
    assert before == pipelines_version(shipped)
    for changed in ("kfp_components/judging.py", "kfp_components/base.py", "training.py"):
        with (tmp_path / "pipelines" / changed).open("a") as file:
            file.write("# another\n")
        after = pipelines_version(tmp_path / "pipelines")
        assert after != before, changed
        before = after


def test_a_run_leaves_nothing_in_the_folder_for_temporary_files(tmp_path, make_request, monkeypatch):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setenv("TMPDIR", str(aside))
    source = tmp_path / "broken.csv"
    source.write_text("a,b\n1,2\n")
    code, lines = job(tmp_path, make_request(source=str(source)))
    assert (code, lines[-1]["state"]) == (1, "failed")
    assert any(line.get("step") for line in lines), lines
    assert list(aside.iterdir()) == []
