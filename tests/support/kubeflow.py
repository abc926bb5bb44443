"""A server that speaks the published API of Kubeflow Pipelines (v2beta1), and refuses what that does not name.

Fields come from the models of `kfp-server-api`, which is generated from the API's own description; paths and query
parameters are the description's. A pipeline is parsed as Kubeflow parses it: by the protobuf messages of its format.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.support.patience import PATIENCE

Json = dict[str, Any]
PAGE = {"page_token", "page_size", "sort_by", "filter"}
QUERIES: dict[tuple[str, str], set[str]] = {
    ("GET", r"/pipelines/names/(?P<name>[^/]+)"): {"namespace"},
    ("POST", r"/pipelines"): set(),
    ("GET", r"/pipelines/(?P<pipeline>[^/]+)/versions"): PAGE,
    ("POST", r"/pipelines/upload_version"): {"name", "display_name", "pipelineid", "description", "tags"},
    ("GET", r"/experiments"): PAGE | {"namespace"},
    ("POST", r"/experiments"): set(),
    ("GET", r"/runs"): PAGE | {"namespace", "experiment_id"},
    ("POST", r"/runs"): {"experiment_id"},
    ("GET", r"/runs/(?P<run>[^/]+)"): {"experiment_id"},
    ("GET", r"/recurringruns"): PAGE | {"namespace", "experiment_id"},
    ("POST", r"/recurringruns"): set(),
    ("DELETE", r"/recurringruns/(?P<recurring>[^/]+)"): {"propagation_policy"},
}
"""Method and path beneath /apis/v2beta1, to the query parameters that it takes."""


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass
class State:
    """What the server has, and how it is to behave.

    Attributes:
        asked: Every request, `METHOD path`.
        unwell: Answers of 503 still to give.
        deaf: POSTs of a path that are done, and their connection cut before the answer.
        fails: Steps that fail, with the reason.
        page: Entries a page.
        metrics: What a run's model measured.
    """

    asked: list[str] = field(default_factory=list)
    unwell: int = 0
    deaf: set[str] = field(default_factory=set)
    fails: dict[str, str] = field(default_factory=dict)
    page: int = 2
    metrics: dict[str, float] = field(default_factory=lambda: {"auc": 0.8, "auc_low": 0.75, "auc_high": 0.85})
    pipelines: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, Json] = field(default_factory=dict)
    experiments: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    recurring: dict[str, Json] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    held: bool = False


def fields(document: Any, model: str, **inner: str) -> Json:
    """Return a document whose every field the model of that name has, and its parts theirs."""
    if not isinstance(document, dict):
        raise Refused(400, f"{model}: not an object")
    known = set(getattr(kfp_server_api, model).attribute_map.values())
    if unknown := set(document) - known:
        raise Refused(400, f"{model}: unknown field {sorted(unknown)}")
    for name, part in inner.items():
        if name in document:
            fields(document[name], part)
    return document


class Server:
    """Answers requests; one `State`."""

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> Json:
        self.state.asked.append(f"{method} {path}")
        if path.startswith("/api/2.0/mlflow/"):
            return self._registry(path.removeprefix("/api/2.0/mlflow/"), query)
        if self.state.unwell:
            self.state.unwell -= 1
            raise Refused(503, "upstream connect error")
        beneath = path.removeprefix("/apis/v2beta1")
        for (wanted, pattern), allowed in QUERIES.items():
            if wanted == method and (match := re.fullmatch(pattern, beneath)) and beneath != path:
                if unknown := set(query) - allowed:
                    raise Refused(400, f"unknown query parameter {sorted(unknown)}")
                name = f"{method.lower()}_{re.sub(r'[^a-z]+', '_', re.sub(r'[(].*?[)]', 'one', pattern)).strip('_')}"
                return getattr(self, name)(query, body, kind, **match.groupdict())
        raise Refused(404, f"no such method: {method} {path}")

    def get_pipelines_names_one(self, query: Json, body: bytes, kind: str, name: str) -> Json:
        for one in self.state.pipelines.values():
            if one["name"] == name:
                return one
        raise Refused(404, f"no pipeline {name}")

    def post_pipelines(self, query: Json, body: bytes, kind: str) -> Json:
        made = fields(json.loads(body), "V2beta1Pipeline")
        if any(one["name"] == made["name"] for one in self.state.pipelines.values()):
            raise Refused(409, "already exists")
        return self._kept(self.state.pipelines, "pipeline_id", made)

    def get_pipelines_one_versions(self, query: Json, body: bytes, kind: str, pipeline: str) -> Json:
        found = [one for one in self.state.versions.values() if one["pipeline_id"] == pipeline]
        return self._page("pipeline_versions", found, query)

    def post_pipelines_upload_version(self, query: Json, body: bytes, kind: str) -> Json:
        message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        (part,) = message.get_payload()
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        pipeline, platform = yaml.safe_load_all(part.get_payload(decode=True))
        json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        if query["pipelineid"] not in self.state.pipelines:
            raise Refused(404, "no such pipeline")
        if any(one["name"] == query["name"] for one in self.state.versions.values()):
            raise Refused(409, "already exists")
        made = {"pipeline_id": query["pipelineid"], "name": query["name"], "display_name": query["display_name"]}
        return self._kept(self.state.versions, "pipeline_version_id", made | {"pipeline_spec": pipeline | platform})

    def get_experiments(self, query: Json, body: bytes, kind: str) -> Json:
        return self._page("experiments", list(self.state.experiments.values()), query)

    def post_experiments(self, query: Json, body: bytes, kind: str) -> Json:
        made = fields(json.loads(body), "V2beta1Experiment")
        if any(one["display_name"] == made["display_name"] for one in self.state.experiments.values()):
            raise Refused(409, "already exists")
        return self._kept(self.state.experiments, "experiment_id", made)

    def get_runs(self, query: Json, body: bytes, kind: str) -> Json:
        assert query.get("sort_by", "created_at desc") == "created_at desc"
        found = [one for one in self.state.runs.values() if one["experiment_id"] == query["experiment_id"]]
        return self._page("runs", found[::-1], query)

    def post_runs(self, query: Json, body: bytes, kind: str) -> Json:
        made = self._complete(json.loads(body), "V2beta1Run")
        made["state"] = "PENDING"
        return self._kept(self.state.runs, "run_id", made)

    def get_runs_one(self, query: Json, body: bytes, kind: str, run: str) -> Json:
        if run not in self.state.runs:
            raise Refused(404, "no such run")
        if not self.state.held:
            self._go_on(self.state.runs[run])
        return self.state.runs[run]

    def get_recurringruns(self, query: Json, body: bytes, kind: str) -> Json:
        found = [one for one in self.state.recurring.values() if one["experiment_id"] == query["experiment_id"]]
        return self._page("recurringRuns", found, query)

    def post_recurringruns(self, query: Json, body: bytes, kind: str) -> Json:
        made = self._complete(json.loads(body), "V2beta1RecurringRun", trigger="V2beta1Trigger")
        cron = fields(made["trigger"]["cron_schedule"], "V2beta1CronSchedule")["cron"]
        assert len(cron.split()) == 6, "seconds first"
        assert made["mode"] in kfp_server_api.RecurringRunMode.allowable_values
        assert int(made["max_concurrency"]) >= 1
        return self._kept(self.state.recurring, "recurring_run_id", made | {"status": "ENABLED"})

    def delete_recurringruns_one(self, query: Json, body: bytes, kind: str, recurring: str) -> Json:
        if recurring not in self.state.recurring:
            raise Refused(404, "no such recurring run")
        del self.state.recurring[recurring]
        return {}

    def _complete(self, made: Json, model: str, **inner: str) -> Json:
        reference = {"pipeline_version_reference": "V2beta1PipelineVersionReference"}
        fields(made, model, runtime_config="V2beta1RuntimeConfig", **reference, **inner)
        version = self.state.versions.get(made["pipeline_version_reference"]["pipeline_version_id"])
        if version is None or made["experiment_id"] not in self.state.experiments:
            raise Refused(404, "no such version or experiment")
        inputs = version["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
        given = made["runtime_config"]["parameters"]
        missing = {name for name, one in inputs.items() if not one.get("isOptional")} - set(given)
        if missing or set(given) - set(inputs):
            raise Refused(400, f"parameters: missing {sorted(missing)}, unknown {sorted(set(given) - set(inputs))}")
        kinds: dict[str, Any] = {
            "STRING": str,
            "STRUCT": dict,
            "LIST": list,
            "NUMBER_INTEGER": int,
            "NUMBER_DOUBLE": float,
        }
        for name, value in given.items():
            if not isinstance(value, kinds[inputs[name]["parameterType"]]):
                raise Refused(400, f"parameter {name}: got {value!r}; allowed a {inputs[name]['parameterType']}")
        return made

    def _go_on(self, run: Json) -> None:
        """Let one more step of a run end at each look, among the drivers that Kubeflow lists with them."""
        version = self.state.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
        steps = list(version["pipeline_spec"]["root"]["dag"]["tasks"])
        self.state.looks[run["run_id"]] = seen = self.state.looks.get(run["run_id"], 0) + 1
        run["state"] = "RUNNING"
        times = {"start_time": "2026-11-21T10:00:00Z", "end_time": "2026-11-21T10:00:02Z"}
        details = [{"display_name": "root-driver", "state": "SUCCEEDED", **times}]
        for at, name in enumerate(steps):
            details.append({"display_name": f"{name}-driver", "state": "SUCCEEDED", **times})
            if at < seen and name in self.state.fails:
                error = {"code": 2, "message": self.state.fails[name]}
                details.append({"display_name": name, "state": "FAILED", "error": error, **times})
                run["state"] = "FAILED"
                break
            state = "SUCCEEDED" if at < seen else "RUNNING"
            details.append({"display_name": name, "state": state, **times})
            if at >= seen:
                break
        else:
            run["state"] = "SUCCEEDED"
        run["run_details"] = {"task_details": details}

    def _registry(self, what: str, query: Json) -> Json:
        if what == "model-versions/search":
            done = [one for one in self.state.runs.values() if one["state"] == "SUCCEEDED"]
            named = [one["display_name"] for one in done]
            match = re.search(r"tags.pipeline_run = '([^']+)'", query["filter"])
            if match is None or match[1] not in named:
                return {}
            return {"model_versions": [{"version": str(named.index(match[1]) + 1), "run_id": "r1", "status": "READY"}]}
        assert what == "runs/get"
        metrics = [{"key": key, "value": value} for key, value in self.state.metrics.items()]
        return {"run": {"data": {"metrics": metrics}}}

    def _kept(self, where: dict[str, Json], key: str, made: Json) -> Json:
        identity = f"{key[:3]}-{len(where) + 1}-{len(self.state.asked)}"
        where[identity] = {key: identity, "created_at": "2026-11-21T10:00:00Z", **made}
        return where[identity]

    def _page(self, name: str, found: list[Json], query: Json) -> Json:
        start = int(query.get("page_token") or 0)
        answer: Json = {name: found[start : start + self.state.page], "total_size": len(found)}
        if start + self.state.page < len(found):
            answer["next_page_token"] = str(start + self.state.page)
        return answer if found else {}


@contextmanager
def kubeflow() -> Iterator[tuple[str, State]]:
    """Run a server on a free loopback port; give its address and its state."""
    state = State()
    server = Server(state)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                answer, status = (
                    server.answer(self.command, parts.path, query, body, self.headers.get("content-type", "")),
                    200,
                )
            except Refused as error:
                answer, status = {"code": 3, "message": str(error)}, error.status
            except (AssertionError, KeyError, ValueError, json_format.ParseError) as error:
                answer, status = {"code": 3, "message": f"{type(error).__name__}: {error}"}, 400
            if f"{self.command} {parts.path}" in state.deaf:
                state.deaf.remove(f"{self.command} {parts.path}")
                self.close_connection = True
                self.connection.close()
                return
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}", state
    finally:
        running.shutdown()
        running.server_close()
        thread.join(PATIENCE)
