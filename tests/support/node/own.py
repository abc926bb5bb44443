"""A cluster of one's own in place of the tests' node: of its nodes nothing is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import ADMIN, Cluster, Json


class Own(Cluster):
    """The cluster that a context of the kubeconfig names, asked by the kubectl on PATH.

    Args:
        folder: A new folder.
        context: The context; who it is must be an administrator.
        people: Users beside the administrator, with the group that each is in: they are impersonated.
    """

    def __init__(self, folder: Path, context: str, people: Mapping[str, str]) -> None:
        kubectl = shutil.which("kubectl")
        assert kubectl, "kubectl is not on PATH"
        self.home, self.programs, self.kubeconfig = folder, {"kubectl": Path(kubectl)}, folder / "kubeconfig"
        self.people, self.processes = dict(people), []
        view = ("config", "view", "--raw", "--flatten", "--minify", f"--context={context}")
        found = subprocess.run([kubectl, *view], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        self._document: Json = yaml.safe_load(found.stdout)

    def start(self) -> None:
        """Write the administrator's kubeconfig: the cluster is there."""
        self.login(self.kubeconfig, ADMIN)

    def stop(self) -> None:
        """Leave it as it is."""

    def log(self, program: str) -> str:
        """Return nothing: its programs' logs are for whoever runs it."""
        return ""

    def login(self, path: Path, user: str) -> None:
        """Write the kubeconfig of a user on a workstation, with the one context."""
        document: Json = json.loads(json.dumps(self._document))
        if user != ADMIN:
            document["users"][0]["user"] |= {"as": user, "as-groups": [self.people[user]]}
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    def listed(self, path: str) -> list[Json]:
        """Return the objects below a path of the API; none where it knows no such kind."""
        answer = self.kubectl("get", "--raw", path)
        items: list[Json] = answer.json.get("items", []) if answer.code == 0 else []
        return items

    def kill(self, pod: Mapping[str, Any]) -> None:
        """Have a pod end at once, without its grace."""
        where = (pod["metadata"]["name"], "-n", pod["metadata"]["namespace"])
        answer = self.kubectl("delete", "pod", *where, "--grace-period=0", "--force", "--wait=false")
        assert answer.code == 0, answer.err
