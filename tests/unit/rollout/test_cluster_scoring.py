"""A system that scores on a cluster: what a release reads and sets there, and what it needs on this machine."""

from pathlib import Path

import pytest

from mlstrata.operations.releases import backend as shared
from mlstrata.operations.releases.kubernetes import KubernetesBackend, status
from mlstrata.operations.releases.kubernetes.served import CRON_JOB, SELDON, read, write
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.serving.cluster import DIGEST, RECORD, VERSION
from mlstrata.services.serving.releases import HistoryEntry, Releases

JOB = ScoringJob(system="nightly", directory=Path("d"), workdir=Path("w"), input="rows.csv")
DONE = Releases(champion="2", loaded=("2",))


class Objects:
    """Stands for a cluster: objects by kind and name."""

    def __init__(self):
        self.held, self.applied = {}, []
        for resource, name in ((CRON_JOB, "scoring-nightly"), (SELDON, "loans")):
            self.held[resource, name] = {"metadata": {"name": name, "namespace": "lending", "resourceVersion": "7"}}

    def get(self, kind, name, namespace):
        assert namespace == "lending"
        return self.held[kind, name]

    def apply(self, kind, manifest):
        self.applied.append((kind, manifest))
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "8"}}


@pytest.fixture
def context(tmp_path):
    spaces = {"nightly": "lending", "loans": "lending"}
    return KubernetesBackend(
        home=tmp_path,
        cluster=Objects(),
        namespaces=spaces,
        tracking_uri="http://registry",
        decider="me",
        batch_jobs={"nightly": JOB},
    )


def test_its_record_is_all_that_is_set_and_stands_on_its_cronjob(context):
    assert read(context.cluster, context.place("nightly")).releases == Releases()
    seen = write(context.cluster, context.place("nightly"), DONE, "7")
    ((kind, manifest),) = context.cluster.applied
    assert (kind, "spec" in manifest) == (CRON_JOB, False)
    assert (manifest["metadata"]["name"], manifest["metadata"]["resourceVersion"]) == ("scoring-nightly", "7")
    assert set(manifest["metadata"]["annotations"]) == {RECORD}
    assert (seen.releases, seen.version, seen.mark) == (DONE, None, "8")


def test_one_that_answers_is_told_its_version(context):
    assert write(context.cluster, context.place("loans"), DONE, "7").version == "2"
    ((kind, manifest),) = context.cluster.applied
    assert (kind, manifest["spec"]) == (SELDON, {"annotations": {VERSION: "2", DIGEST: ""}})


def test_pods_are_told_what_the_files_of_the_version_come_to(context):
    entries = [
        HistoryEntry(kind="release", when=f"2026-11-2{day}T06:00:00Z", who="a", why="b", from_=None, to=to, digest=said)
        for day, (to, said) in enumerate((("2", "sha256:two"), ("3", "sha256:three")))
    ]
    for released, digest in (("3", "sha256:three"), ("2", "sha256:two")):
        decided = Releases(champion=released, loaded=(released,), history=entries)
        write(context.cluster, context.place("loans"), decided, "7")
        assert context.cluster.applied[-1][1]["spec"]["annotations"] == {VERSION: released, DIGEST: digest}


def test_what_answers_is_what_pods_are_told_else_what_the_registry_calls_champion(context, monkeypatch):
    class Registry:
        def __init__(self, uri):
            assert uri == "http://registry"

        def champion(self, system):
            return "1"

    monkeypatch.setattr(shared, "Registry", Registry)
    assert [context.answers(one) for one in ("nightly", "loans")] == ["1", "1"]
    context.cluster.held[SELDON, "loans"]["spec"] = {"annotations": {VERSION: "3"}}
    assert context.answers("loans") == "3"


def test_its_status_asks_for_no_pods(context):
    annotations = {RECORD: DONE.model_copy(update={"settled": False}).to_json()}
    context.cluster.held[CRON_JOB, "scoring-nightly"]["metadata"]["annotations"] = annotations
    found = status(context, "nightly")
    assert (found.batch, found.releases.champion, found.answering, found.wanted) == (True, "2", 0, 0)
    assert found.differences == ("the last release or rollback did not end; run it once more",)
