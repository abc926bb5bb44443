"""A catalog's service over a home in which something happened, for the tests of its answers and its pages."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from mlstrata.environments import load
from mlstrata.services.catalog.access import link_ticket
from mlstrata.services.catalog.events import EVENTS
from mlstrata.services.catalog.openlineage import Teller
from mlstrata.services.catalog.settings import CatalogSettings, Declared
from mlstrata.services.catalog.sources import DATABASE
from mlstrata.services.runner.contract import Artifact, State, Step
from mlstrata.services.runner.requests import training_request
from mlstrata.services.runner.store import Store
from mlstrata.services.serving.releases import Releases
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv/bin/python"
SPEC = load(ROOT / "environments/local.yaml")
SYSTEM = "mortgage-approval"
TOKEN = "t" * 32
OPERATOR = "o" * 32
DATA = "sha256:" + "ab" * 32
REQUEST = "0b1f0c5e-request"
SCRIPT = "<script>alert('x')</script>"


def lived_in(home: Path) -> None:
    """A run that made version 1, which is released and has answered one request."""
    store = Store(home / DATABASE)
    store.on_change = Teller(store, home / EVENTS).tell
    request = training_request("local", SPEC.systems[0], root=ROOT, home=home, tracking_uri="http://127.0.0.1:9")
    store.add("one", request, "request", 1.0)
    store.start("one", 2.0)
    made = (
        Artifact(name="data", kind="system.Dataset", uri="x", metadata={"data_version": DATA}),
        Artifact(name="model", kind="system.Model", uri="y", metadata={"features": ["pirat", SCRIPT]}),
    )
    store.step("one", Step(name="ingest", state=State.SUCCEEDED, artifacts=made))
    result = {"version": "1", "created": True, "evaluation": {"metrics": {"auc": {"value": 0.8}}}}
    store.end("one", State.SUCCEEDED, 3.0, result=result)
    store.close()
    folder = home / "data/serving" / SYSTEM
    folder.mkdir(parents=True)
    (folder / "releases.json").write_text(Releases(champion="1", loaded=("1",)).model_dump_json(by_alias=True))
    (folder / "models/1").mkdir(parents=True)
    inputs = json.dumps([{"name": "pirat", "type": "double", "required": True}])
    (folder / "models/1/MLmodel").write_text(json.dumps({"signature": {"inputs": inputs}}))
    entry = {"request_id": REQUEST, "time": "2026-01-01T00:00:00Z", "system": SYSTEM, "version": "1", "status": 200}
    (home / "logs").mkdir()
    (home / "logs/access.log").write_text(
        '{"request_id": "another"}\n' + json.dumps({**entry, "consumer": "underwriter-desk"}) + "\n"
    )


class Service:
    def __init__(self, home: Path, more: Callable[[Path], None] = lambda _: None):
        self.home, self.declared = home, home / "declared.json"
        lived_in(home)
        more(home)
        self.declared.write_text(Declared.of(SPEC).text())
        token = home / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        operator = home / "operator"
        operator.write_text(OPERATOR)
        operator.chmod(0o600)
        settings = CatalogSettings(
            port=0,
            operator_file=operator,
            home=home,
            declared=self.declared,
            token_file=token,
            registry="http://127.0.0.1:9",
            events=home / "data/catalog/lineage.jsonl",
        )
        (home / "catalog.json").write_text(settings.model_dump_json())
        command = [PYTHON, "-m", "mlstrata.services.catalog", "--settings", home / "catalog.json"]
        environ = {**os.environ, "MLSTRATA_SUPERVISED": str(home), "MLSTRATA_SERVICE": "catalog"}
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environ)
        self.url = self.process.stdout.readline().split()[-1]
        self.stranger = httpx.Client(base_url=self.url, trust_env=False)
        self.program = httpx.Client(base_url=self.url, trust_env=False, headers={"authorization": f"Bearer {TOKEN}"})

    @contextlib.contextmanager
    def person(self, token: str = TOKEN, name: str = "") -> Iterator[httpx.Client]:
        """Somebody's browser, logged in by a link."""
        with httpx.Client(base_url=self.url, trust_env=False, follow_redirects=True) as client:
            answer = client.get("/login", params={"ticket": link_ticket(token, time.time(), name)})
            assert answer.status_code == 200
            yield client

    def end(self) -> None:
        for client in (self.stranger, self.program):
            client.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
