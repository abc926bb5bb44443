"""What the services use of the machine, measured on real processes; and the log of alerts."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlstrata.services.exporter.__main__ import log_alerts
from mlstrata.services.exporter.measure import exposition, machine, services
from mlstrata.services.exporter.processes import HOME_MARK, SERVICE_MARK, marked_processes, process_of
from mlstrata.services.gateway.logfiles import Archive, archives, lines
from mlstrata.services.gateway.names import ACCESS_LOG, ARCHIVED
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port


@pytest.fixture
def begun():
    """When the test began, seconds since 1970."""
    return time.time()


@pytest.fixture
def marked(tmp_path):
    """Two processes of one service, one of them busy for a while, started from a marked environment."""
    environment = {**os.environ, HOME_MARK: str(tmp_path), SERVICE_MARK: "web"}
    code = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ntime.sleep(3600)"
    running = [
        subprocess.Popen([sys.executable, "-S", "-c", code], env=environment),
        subprocess.Popen(["sleep", "3600"], env=environment),
    ]
    yield tmp_path, running
    for process in running:
        process.kill()
        process.wait()


def test_marked_processes_are_found_and_no_others(marked):
    home, running = marked
    eventually(lambda: len(marked_processes(home)) == 2)
    assert {process.pid for process in marked_processes(home)} == {process.pid for process in running}
    assert {process.service for process in marked_processes(home)} == {"web"}
    assert marked_processes(home / "another") == []
    assert process_of(os.getpid()) is None


def test_use_is_measured(begun, marked):
    home, _ = marked
    eventually(lambda: services(home)["web"].cpu_seconds >= 0.25)
    use = services(home)["web"]
    assert use.processes == 2
    assert use.cpu_seconds >= 0.25
    assert 1e6 < use.resident_bytes < 1e9
    assert begun - 1 < use.start_seconds < time.time() + 1, "the kernel counts in hundredths"


def test_the_machine_is_measured(tmp_path):
    found = machine(tmp_path)
    assert found["mlstrata_cpus"] >= 1
    assert 0 < found["mlstrata_memory_available_bytes"] <= found["mlstrata_memory_total_bytes"]
    assert 0 < found["mlstrata_disk_free_bytes"] <= found["mlstrata_disk_size_bytes"]


def test_the_text_is_what_prometheus_reads(marked):
    home, _ = marked
    eventually(lambda: len(marked_processes(home)) == 2)
    lines = exposition(home).splitlines()
    assert 'mlstrata_service_processes{service="web"} 2.0' in lines
    assert "# TYPE mlstrata_service_cpu_seconds_total counter" in lines
    for line in lines:
        assert line.startswith("# TYPE ") or float(line.rpartition(" ")[2]) >= 0


def test_whatever_a_process_is_called_the_others_can_be_read(tmp_path):
    name = 'odd"} 1\n# \\'
    running = [
        subprocess.Popen(["sleep", "3600"], env={**os.environ, HOME_MARK: str(tmp_path), SERVICE_MARK: service})
        for service in ("web", name)
    ]
    try:
        eventually(lambda: len(marked_processes(tmp_path)) == 2)
        found = {
            sample.labels["service"]
            for family in text_string_to_metric_families(exposition(tmp_path))
            for sample in family.samples
            if sample.name == "mlstrata_service_processes"
        }
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert found == {"web", name}


def test_a_home_that_is_gone_hides_no_service(tmp_path):
    assert "mlstrata_service_processes" in exposition(tmp_path / "gone")


def test_alerts_are_logged_one_a_line(tmp_path):
    log = tmp_path / "alerts.jsonl"
    body = json.dumps({"alerts": [{"labels": {"alertname": "A"}}, {"labels": {"alertname": "B"}}]}).encode()
    assert log_alerts(body, log) == 2
    assert [json.loads(line)["labels"]["alertname"] for line in log.read_text().splitlines()] == ["A", "B"]
    for wrong in (b"{}", b"[]", b"not json", b'{"alerts": [1]}'):
        with pytest.raises(ValueError, match=r".+"):
            log_alerts(wrong, log)


def test_it_serves(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    port = free_port()
    command = [sys.executable, "-m", "mlstrata.services.exporter", "--home", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE).status == 200
        except OSError:
            return False

    try:
        eventually(answers)
        assert b"mlstrata_disk_free_bytes" in urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE).read()
        body = json.dumps({"alerts": [{"status": "firing"}]}).encode()
        assert urllib.request.urlopen(f"{address}/alerts", body, timeout=PATIENCE).read() == b"1 logged\n"
        for path, data, status in (("/alerts", b"{}", 400), ("/none", None, 404), ("/none", b"", 404)):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{address}{path}", data, timeout=PATIENCE)
            assert caught.value.code == status
    finally:
        process.kill()
        process.wait()


def archived(command: list[str]) -> float:
    """Return when the log was last archived, as Prometheus is told; its server may be starting still."""
    address, found = f"http://127.0.0.1:{command[command.index('--port') + 1]}/metrics", []

    def told() -> bool:
        with contextlib.suppress(OSError):
            text = urllib.request.urlopen(address, timeout=PATIENCE).read().decode()
            found.append(float(text.partition(f"\n{ARCHIVED} ")[2].partition("\n")[0]))
        return bool(found)

    eventually(told)
    return found[-1]


def test_it_archives_the_gateways_log_and_says_why_it_cannot(tmp_path: Path):
    """A day that ended is archived and compressed, what is too old is gone, also while no gateway runs."""
    log = tmp_path / ACCESS_LOG
    log.parent.mkdir()
    log.write_text('{"time": "2026-03-01T10:00:00Z"}\n')
    too_old, kept = (Archive.of(log, datetime.now(UTC) - timedelta(seconds=age)).packed for age in (180_000, 100_000))
    too_old.touch()
    kept.touch()
    command = [sys.executable, "-m", "mlstrata.services.exporter", "--home", str(tmp_path), "--port", str(free_port())]
    command += ["--gateway-admin", str(free_port()), "--logs-seconds", "172800"]
    process = subprocess.Popen(command)
    begun = time.time()
    try:
        eventually(lambda: not too_old.exists())
        eventually(lambda: len([one for one in archives(log) if one.packed.exists() and not one.plain.exists()]) == 2)
        assert begun < archived(command) <= time.time()
    finally:
        process.kill()
        process.wait()
    assert kept.exists()
    assert log.read_bytes() == b""
    done = subprocess.run(command[:-2], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--gateway-admin and --logs-seconds" in done.stderr


def test_a_gateway_that_does_not_answer_is_told_of_once_and_keeps_its_log(tmp_path: Path):
    log = tmp_path / ACCESS_LOG
    log.parent.mkdir()
    command = [sys.executable, "-m", "mlstrata.services.exporter", "--home", str(tmp_path), "--port", str(free_port())]
    command += ["--gateway-admin", str(free_port()), "--logs-seconds", "86400"]
    with log.open("w") as gateway:
        gateway.write('{"time": "2026-03-01T10:00:00Z"}\n')
        gateway.flush()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            told = process.stderr.readline()
            gateway.write('{"time": "2026-03-01T10:00:01Z"}\n')
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    assert "is not archived yet" in told
    assert "does not answer" in told
    assert archives(log) == []
    assert len(list(lines(log))) == 2
