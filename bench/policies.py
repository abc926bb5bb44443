"""`mlstrata check` beside checkov and conftest on the same manifests, and how its time grows with their number.

The others run only the rules that overlap (`OVERLAPPING`, `REGO`); mlstrata runs all 64. checkov and conftest are taken
from PATH, else from the cache that `install` puts them into; what is missing is said and left out.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.manifests import write
from bench.workspace import COMMAND, make_many

SIZE, FACTOR, ROUNDS = 500, 10, 5
SYSTEMS = 56
"""Systems of a local environment that make about `SIZE` resources."""
CHECKOV, CONFTEST = "3.2.500", "v0.56.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlstrata/bench"
LEFT_OUT = "left out: not installed (python -m bench.policies installs it)"
OVERLAPPING = {
    "CKV_K8S_8": "liveness probe",
    "CKV_K8S_9": "readiness probe",
    "CKV_K8S_16": "privileged",
    "CKV_K8S_17": "host process id",
    "CKV_K8S_18": "host IPC",
    "CKV_K8S_19": "host network",
    "CKV_K8S_20": "privilege escalation",
    "CKV_K8S_23": "root",
    "CKV_K8S_31": "seccomp",
    "CKV_K8S_37": "capabilities",
    "CKV_K8S_43": "image digest",
    "CKV_K8S_49": "wildcards in roles",
}
REGO = """package main

containers[container] { container := input.spec.template.spec.containers[_] }
drops_all(container) { container.securityContext.capabilities.drop[_] == "ALL" }

deny[message] {
  container := containers[_]
  not container.readinessProbe
  message := sprintf("%s: no readiness probe", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  not container.livenessProbe
  message := sprintf("%s: no liveness probe", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  container.securityContext.privileged
  message := sprintf("%s: privileged", [input.metadata.name])
}
deny[message] {
  input.spec.template.spec[field]
  field == ["hostNetwork", "hostPID", "hostIPC"][_]
  input.spec.template.spec[field] == true
  message := sprintf("%s: %s", [input.metadata.name, field])
}
deny[message] {
  container := containers[_]
  container.securityContext.allowPrivilegeEscalation != false
  message := sprintf("%s: may gain privileges", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  not container.securityContext.runAsNonRoot
  not input.spec.template.spec.securityContext.runAsNonRoot
  message := sprintf("%s: may run as root", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  not container.securityContext.seccompProfile.type
  not input.spec.template.spec.securityContext.seccompProfile.type
  message := sprintf("%s: no seccomp profile", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  not drops_all(container)
  message := sprintf("%s: keeps capabilities", [input.metadata.name])
}
deny[message] {
  container := containers[_]
  not regex.match("@sha256:[0-9a-f]{64}$", container.image)
  message := sprintf("%s: not pinned", [input.metadata.name])
}
deny[message] {
  input.rules[_][["verbs", "resources"][_]][_] == "*"
  message := sprintf("%s: a wildcard", [input.metadata.name])
}
"""


def measure_policies() -> dict[str, object]:
    """Return the seconds (medians) of each checker, their ratios, and how they grow with `FACTOR` times as much."""
    return {**_environments(), **_manifests()}


def _environments() -> dict[str, object]:
    """Plan and check a local environment of about `SIZE` resources, and one of `FACTOR` times as many systems."""
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        one, many = (Path(folder) / name for name in ("one", "many"))
        one_of, many_of = make_many(one, SYSTEMS), make_many(many, SYSTEMS * FACTOR)
        sizes: list[int] = []
        seconds, processor = _timed(lambda: sizes.append(_check(one_of)))
        more, more_processor = _timed(lambda: sizes.append(_check(many_of)))
        small, large = min(sizes), max(sizes)
    growth = more_processor / processor / (large / small)
    return {
        f"mlstrata check, an environment of {small} resources, s": round(seconds, 2),
        f"mlstrata check, an environment of {large} resources, s": round(more, 2),
        f"processor time for {FACTOR} times the resources (at most {FACTOR + 1})": round(growth * FACTOR, 2),
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that passed, and those a processor worked: others' work on the machine is not in these."""
    began, before = time.monotonic(), os.times()
    work()
    after = os.times()
    worked = sum(after[2:4]) - sum(before[2:4])
    return time.monotonic() - began, worked


def _check(environ: dict[str, str]) -> int:
    """Check the local environment; return how many resources it has.

    Raises:
        RuntimeError: it could not be checked.
    """
    command: list[str | Path] = [COMMAND, "check", "local", "--format", "json"]
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    _require(bool(done.stdout), f"mlstrata check: {done.stderr.strip()[-500:]}")
    (report,) = json.loads(done.stdout)
    return int(report["resources"])


def _manifests() -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        small, large, rego = (Path(folder) / name for name in ("small", "large", "policy"))
        faults = write(small, SIZE)
        write(large, SIZE * FACTOR)
        rego.mkdir()
        (rego / "overlap.rego").write_text(REGO, encoding="utf-8")
        own = _median(lambda: _mlstrata(small, faults))
        grown = _median(lambda: _mlstrata(large), rounds=3)
        figures: dict[str, object] = {
            f"mlstrata check, {SIZE} manifests, s": round(own, 2),
            f"mlstrata check, {FACTOR} times as many, s": round(grown, 2),
            f"growth (at most {FACTOR + 1})": round(grown / own, 2),
        }
        for name, program, check in (
            ("checkov", _found("checkov", CACHE / "checkov/bin/checkov"), lambda it: _checkov(it, small, faults)),
            ("conftest", _found("conftest", CACHE / "bin/conftest"), lambda it: _conftest(it, small, rego, faults)),
        ):
            if program is None:
                figures[name] = LEFT_OUT
                continue
            took = _median(partial(check, program), rounds=3)
            figures[f"{name}, {len(OVERLAPPING)} overlapping rules, s"] = round(took, 2)
            figures[f"{name} / mlstrata"] = round(took / own, 2)
    return figures


def install() -> None:
    """Put checkov and conftest into the cache, where they are missing and can be had."""
    checkov = CACHE / "checkov"
    if _found("checkov", checkov / "bin/checkov") is None:
        subprocess.run([sys.executable, "-m", "venv", checkov], check=True)
        pip: list[str | Path] = [checkov / "bin/python", "-m", "pip", "install", "--quiet", f"checkov=={CHECKOV}"]
        subprocess.run(pip, check=True)
    if _found("conftest", CACHE / "bin/conftest") is None and shutil.which("go"):
        module = f"github.com/open-policy-agent/conftest@{CONFTEST}"
        environ = {**os.environ, "GOBIN": str(CACHE / "bin"), "GOFLAGS": "-mod=mod"}
        subprocess.run(["go", "install", module], env=environ, check=True)


def _median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    seconds = []
    for _ in range(rounds):
        began = time.monotonic()
        work()
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def _found(name: str, cached: Path) -> str | None:
    return shutil.which(name) or shutil.which(cached)


def _mlstrata(folder: Path, faults: int | None = None) -> None:
    done = _run([COMMAND, "check", "--manifests", folder, "--format", "json"])
    (report,) = json.loads(done.stdout)
    found = {one["subject"] for one in report["results"] if _fails(one, "sec-pod-restricted")}
    _require(faults is None or len(found) == faults, f"mlstrata found {len(found)} of {faults} faults")


def _fails(result: dict[str, object], policy: str) -> bool:
    return result["policy"] == policy and result["outcome"] == "fail"


def _checkov(program: str, folder: Path, faults: int) -> None:
    rules = ["--check", ",".join(OVERLAPPING)]
    flags = ["--framework", "kubernetes", "--skip-download", "--compact", "--quiet", "--output", "json"]
    done = _run([program, "--directory", folder, *flags, *rules])
    _require(bool(done.stdout), f"checkov: {done.stderr.strip()[-500:]}")
    failed = json.loads(done.stdout)["results"]["failed_checks"]
    found = {one["resource"] for one in failed if one["check_id"] == "CKV_K8S_20"}
    _require(len(found) >= faults, f"checkov found {len(found)} of {faults} faults")


def _conftest(program: str, folder: Path, rego: Path, faults: int) -> None:
    done = _run([program, "test", folder, "--policy", rego, "--output", "json"])
    _require(bool(done.stdout), f"conftest: {done.stderr.strip()[-500:]}")
    messages = {one["msg"] for file in json.loads(done.stdout) for one in file.get("failures") or []}
    found = {message for message in messages if "may gain privileges" in message}
    _require(len(found) == faults, f"conftest found {len(found)} of {faults} faults")


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _require(held: bool, message: str) -> None:
    """Refuse a measurement of a checker that did not find what is there: it measured something else.

    Raises:
        RuntimeError: it did not.
    """
    if not held:
        raise RuntimeError(message)


if __name__ == "__main__":
    install()
