"""Supervised services as resources: real supervisord, real processes, faults of every kind."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlstrata.components.supervision import ready
from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.ports import PortsProvider
from mlstrata.components.supervision.ready import ReadyProvider
from mlstrata.components.supervision.service import ServiceProvider
from mlstrata.components.supervision.supervisor import SupervisorProvider
from mlstrata.components.supervision.values import SupervisionError
from mlstrata.services.exporter.processes import marked_processes
from tests.support.patience import PATIENCE, eventually

pytestmark = pytest.mark.local

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open(sys.argv[2]).read().encode() + os.environ.get("WORD", "").encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


BROKEN = (
    SERVER.replace("self.send_response(200)", "self.send_response(500 if ill else 200)")
    .replace("        body =", "        global ill; ill = ill or self.path == '/break'\n        body =")
    .replace("class Handler", "ill = False\nclass Handler")
)


class Place:
    """An environment's home with one small web server in it, driven through the providers as an engine does."""

    def __init__(self, home: Path):
        self.home, self.socket = home, home / "run/s.sock"
        self.base = {"home": str(home), "socket": str(self.socket)}
        self.client = SupervisorClient(self.socket)
        self.supervisor, self.service, self.ready = SupervisorProvider(), ServiceProvider(), ReadyProvider()
        made = PortsProvider().create({**self.base, "owner": "web", "wanted": {"web": 0.0}})
        self.port = made.outs["ports"]["web"]

    def props(self, **changes):
        command = [sys.executable, "-S", "-c", SERVER, str(self.port), str(self.home / "config/web/page")]
        file = {"content": "hello ", "mode": 384.0, "restart": True}
        return {
            **self.base,
            "name": "web",
            "command": command,
            "environment": {"WORD": 'a; b #c %d "q" \n$HOME'},
            "ports": {"web": float(self.port)},
            "files": {"config/web/page": file},
            "seeds": {"data/web/seed": {"content": "first", "mode": 384.0}},
            "folders": ["data/web/empty"],
            "directory": "",
            "stop_seconds": 5.0,
            **changes,
        }

    def checks(self, started):
        url = f"http://127.0.0.1:{self.port}/"
        checks = {"web": {"url": url, "expect": 200.0}}
        return {**self.base, "checks": checks, "seconds": PATIENCE, "triggers": {"web": started}}

    def up(self, **changes):
        """Everything from nothing; the recorded outputs of the service."""
        self.supervisor.create(self.base)
        made = self.service.create(self.props(**changes)).outs
        self.ready.create(self.checks(made["started"]))
        return made

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def processes(self, service="web"):
        return [process.pid for process in marked_processes(self.home) if process.service == service]

    def pid(self):
        return self.client.info("web").pid

    def read(self, recorded):
        return self.service.read("service-web", recorded).outs

    def down(self):
        self.service.delete("service-web", self.props())
        self.supervisor.delete("supervisor", self.base)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "home")
    yield place
    place.supervisor.delete("supervisor", place.base)
    assert not marked_processes(place.home)


def test_what_runs_and_is_not_well_is_started_anew_once_somebody_sees_it(place, monkeypatch):
    command = [sys.executable, "-S", "-c", BROKEN, str(place.port), str(place.home / "config/web/page")]
    made = place.up(command=command)
    checks, pid = place.checks(made["started"]), place.pid()
    recorded = {**checks, "state": "healthy"}
    assert place.ready.diff("ready", place.ready.read("ready", recorded).outs, checks).changes is False
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{place.port}/break", timeout=PATIENCE)
    ill = {**checks, "state": f"web: http://127.0.0.1:{place.port}/ answers 500, not 200"}
    assert place.ready.diff("ready", ill, checks).changes is True
    # It is old enough.
    monkeypatch.setattr(ready, "_GRACE_SECONDS", 0.0)
    assert place.ready.read("ready", recorded).outs["state"] == ill["state"]
    assert place.ready.update("ready", ill, checks).outs["state"] == "healthy"
    assert place.pid() != pid
    assert place.page().startswith("hello ")
    assert place.read(made)["state"] == "running", "the next run finds nothing to do"


def test_starts_and_serves_and_leaves_nothing(place):
    made = place.up()
    assert place.page() == 'hello a; b #c %d "q" \n$HOME'
    assert place.read(made)["state"] == "running"
    assert (place.home / "data/web/empty").is_dir()
    assert not place.service.diff("service-web", place.read(made), place.props()).changes
    place.down()
    assert not marked_processes(place.home)
    PortsProvider().delete("ports-web", {**place.base, "owner": "web"})
    left = {str(path.relative_to(place.home)) for path in place.home.rglob("*") if path.is_file()}
    assert left == {"data/web/seed"}


def test_environment_reaches_the_process_and_nobody_else(place):
    place.up(environment={"WORD": "s3cret"})
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "s3cret" not in arguments
    holders = [path for path in place.home.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in holders] == [0o600]
    assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700


def test_the_callers_secrets_are_not_inherited(place, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hush")
    place.up()
    for pid in [place.pid(), place.client.pid()]:
        assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_killed_service_heals_and_is_no_drift(place):
    made = place.up()
    before = place.pid()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: (info := place.client.info("web")).state in {"STARTING", "RUNNING"} and info.pid != before)
    assert place.read(made)["state"] == "running"
    assert place.ready.read("ready", place.checks(made["started"])).outs["state"] == "healthy"
    assert place.page().startswith("hello")


def test_a_stopped_service_is_drift_and_update_repairs_it(place):
    made = place.up()
    place.client._call("stopProcessGroup", "web", True)
    found = place.read(made)
    assert found["state"] == "stopped"
    assert "does not answer" in place.ready.read("ready", place.checks(made["started"])).outs["state"]
    assert place.service.diff("service-web", found, place.props()).changes
    repaired = place.service.update("service-web", found, place.props()).outs
    assert repaired["started"] != made["started"], "whoever waits for it must wait again"
    place.ready.update("ready", place.checks(made["started"]), place.checks(repaired["started"]))
    assert place.read(repaired)["state"] == "running"


def test_an_edited_file_is_drift_and_update_repairs_it(place):
    made = place.up()
    (place.home / "config/web/page").write_text("broken ")
    found = place.read(made)
    assert found["state"] == "edited: config/web/page"
    place.service.update("service-web", found, place.props())
    place.ready.update("ready", {}, place.checks("x"))
    assert place.page().startswith("hello")
    (place.home / "data/web/seed").write_text("its own")
    assert place.read(made)["state"] == "running", "a seed belongs to the service once it is there"


def test_a_file_that_the_service_watches_changes_without_a_restart(place):
    watched = {"config/web/page": {"content": "hello ", "mode": 384.0, "restart": False}}
    made = place.up(files=watched)
    before, inode = place.pid(), (place.home / "config/web/page").stat().st_ino
    watched = {"config/web/page": {"content": "changed ", "mode": 384.0, "restart": False}}
    updated = place.service.update("service-web", made, place.props(files=watched)).outs
    assert place.page().startswith("changed")
    assert (place.pid(), updated["started"]) == (before, made["started"])
    assert (place.home / "config/web/page").stat().st_ino != inode, "a rename, which watchers see"


def test_what_needs_a_restart_restarts_and_what_is_gone_is_removed(place):
    page = {"content": "hello ", "mode": 384.0, "restart": True}
    made = place.up(files={"config/web/page": page, "config/web/old": page})
    before = place.pid()
    place.service.update("service-web", made, place.props(environment={"WORD": "new"}))
    place.ready.update("ready", {}, place.checks("x"))
    assert place.page() == "hello new"
    assert place.pid() != before
    assert not (place.home / "config/web/old").exists()


def test_another_version_of_its_code_restarts_it_and_the_same_does_not(place):
    made = place.up()
    before = place.pid()
    assert place.read(made)["state"] == "running", "as a state that was written before versions were told"
    assert place.service.diff("service-web", made, place.props(code="2")).changes
    updated = place.service.update("service-web", made, place.props(code="2")).outs
    place.ready.update("ready", {}, place.checks(updated["started"]))
    after = place.pid()
    assert after != before
    assert not place.service.diff("service-web", place.read(updated), place.props(code="2")).changes
    place.service.update("service-web", updated, place.props(code="2"))
    assert place.pid() == after


def test_a_dead_supervisor_is_drift_and_all_comes_back_once(place):
    made = place.up()
    orphan = place.pid()
    os.kill(place.client.pid(), signal.SIGKILL)
    eventually(lambda: place.client.identity() is None)
    assert place.supervisor.read("supervisor", place.base).outs["state"] == "dead"
    found = place.read(made)
    assert found["state"] == "stopped: its supervisor is dead"
    assert Path(f"/proc/{orphan}").exists(), "the test means the case in which the service outlives its supervisor"
    place.supervisor.update("supervisor", {}, place.base)
    repaired = place.service.update("service-web", found, place.props()).outs
    assert repaired["started"] != made["started"]
    place.ready.update("ready", {}, place.checks(repaired["started"]))
    assert place.read(repaired)["state"] == "running"
    assert len(place.processes()) == 1
    assert len(place.processes("supervisor")) == 1


def test_a_stopped_supervisor_does_not_hang_the_run(place):
    made = place.up()
    pid = place.client.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        client = SupervisorClient(place.socket, seconds=0.5)
        with pytest.raises(SupervisionError, match="does not answer"):
            client.info("web")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert place.read(made)["state"] == "running"


@pytest.mark.parametrize("step", ["stamp", "add", "write", "supervisor"])
def test_a_run_killed_while_creating_leaves_one_process_after_the_next(place, step):
    """kill -9 at a step of create; create again must adopt or replace what is there."""
    script = textwrap.dedent(
        """
        import json, os, signal, sys
        from mlstrata.components.supervision import definition, service, supervisor
        from mlstrata.components.supervision.client import SupervisorClient
        def die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
        step, base, props = json.loads(sys.argv[1])
        if step == "supervisor":
            supervisor.renew_starts = die
        supervisor.SupervisorProvider().create(base)
        if step == "stamp": definition.Definition.note_start = die
        if step == "add": SupervisorClient.add = die
        if step == "write":
            real = definition.write
            def write(path, *a):
                real(path, *a)
                if str(path).endswith("launch/web.json"): die()
            definition.write = write
        service.ServiceProvider().create(props)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, json.dumps([step, place.base, place.props()])], check=False)
    assert done.returncode == -signal.SIGKILL
    made = place.up()
    assert place.page().startswith("hello")
    assert len(place.processes()) == 1
    assert len(place.processes("supervisor")) == 1
    assert place.read(made)["state"] == "running"


def test_create_again_adopts_what_runs(place):
    made = place.up()
    before = (place.pid(), place.client.pid())
    again = place.up()
    assert (place.pid(), place.client.pid()) == before
    assert again["started"] == made["started"]


def test_many_services_start_at_once(place):
    place.supervisor.create(place.base)
    names = [f"s{number}" for number in range(12)]

    def create(name):
        return place.service.create(
            place.props(name=name, command=["sleep", "3600"], ports={}, files={}, seeds={}, folders=[])
        ).outs

    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(create, names))
    assert [place.service.read(f"service-{one['name']}", one).outs["state"] for one in made] == ["running"] * 12


def test_a_port_in_use_is_named_with_its_holder_and_the_fix(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SupervisionError) as caught:
            PortsProvider().create({**place.base, "owner": "gateway", "wanted": {"gateway": float(port)}})
        for part in (f"port {port} for gateway", f"process {os.getpid()}", "target.ports.gateway"):
            assert part in str(caught.value)
        assert "gateway" not in json.loads((place.home / "run/ports.json").read_text()), "nothing half done"


def test_a_port_taken_after_it_was_given_stops_the_start(place):
    place.supervisor.create(place.base)
    with socket.create_server(("127.0.0.1", place.port)), pytest.raises(SupervisionError, match=r"port .* in use by"):
        place.service.create(place.props())
    assert place.client.info("web") is None


def test_a_service_that_does_not_answer_is_reported_with_its_last_words(place):
    place.supervisor.create(place.base)
    command = ["/bin/sh", "-c", "echo its last words; exec sleep 3600"]
    made = place.service.create(place.props(command=command)).outs
    log = place.home / "logs/web.log"
    eventually(lambda: log.exists() and "its last words" in log.read_text())
    wait = {**place.checks(made["started"]), "seconds": 2.0}
    with pytest.raises(SupervisionError, match=r"(?s)web is not healthy after 2 s.*its last words"):
        place.ready.create(wait)


def test_a_program_that_is_not_there_gives_up_early(place):
    place.supervisor.create(place.base)
    made = place.service.create(place.props(command=["/nowhere/program"])).outs
    with pytest.raises(SupervisionError, match=r"(?s)web gave up \(fatal\).*cannot start /nowhere/program"):
        place.ready.create({**place.checks(made["started"]), "seconds": PATIENCE})
    assert place.read(made)["state"].startswith("fatal")


def test_a_program_that_keeps_ending_is_told_early(place):
    place.supervisor.create(place.base)
    # It lives longer than the supervisor's own patience, so the supervisor starts it again for ever.
    program = "import time; print('no such table', flush=True); time.sleep(2.2); raise SystemExit(1)"
    made = place.service.create(place.props(command=[sys.executable, "-c", program])).outs
    with pytest.raises(SupervisionError, match=r"(?s)web keeps ending: started 6 times.*no such table"):
        place.ready.create({**place.checks(made["started"]), "seconds": PATIENCE})


def test_a_service_cannot_start_without_its_supervisor(place):
    with pytest.raises(SupervisionError, match="no supervisor answers"):
        place.service.create(place.props())


PARENT = """
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "-S", "-c", *sys.argv[1:]]))
"""


def test_a_service_whose_main_process_dies_is_not_kept_out_by_its_own_children(place):
    """MLflow is two processes: the one the supervisor knows, and the one that holds the port."""
    command = [sys.executable, "-S", "-c", PARENT, SERVER, str(place.port), str(place.home / "config/web/page")]
    place.up(command=command)
    parent = place.client.info("web").pid
    (orphan,) = {p.pid for p in marked_processes(place.home) if p.service == "web"} - {parent}
    os.kill(parent, signal.SIGKILL)

    def is_back():
        info = place.client.info("web")
        alive = {p.pid for p in marked_processes(place.home) if p.service == "web"}
        return info.state == "RUNNING" and info.pid != parent and len(alive) == 2 and orphan not in alive

    eventually(is_back)
    assert place.page()
