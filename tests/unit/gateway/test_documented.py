"""What docs/gateway.md tells callers is what is configured."""

import re
from pathlib import Path

import pytest
import yaml

from mlstrata.environments.spec.serving import ServingSpec
from mlstrata.services.alerts.rules import upkeep_rules
from mlstrata.services.gateway.certificates import RENEW_DAYS, SERVER_DAYS
from mlstrata.services.gateway.errors import local_replies
from mlstrata.services.gateway.listener import render_listener
from mlstrata.services.gateway.settings import Breaker, GatewaySettings
from mlstrata.services.gateway.tokens import generate_key, public_jwks
from mlstrata.services.serving.openapi import document
from mlstrata_steps.tasks.output import Probability

PAGE = (Path(__file__).parents[3] / "docs/gateway.md").read_text(encoding="utf-8")
SETTINGS = GatewaySettings(
    port=1, admin_port=2, issuer="x", jwks=public_jwks(generate_key()), directory=Path("/a"), access_log=Path("/b")
)


def test_the_example_is_a_good_declaration():
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    serving = ServingSpec.model_validate(yaml.safe_load(example)["serving"])
    assert serving.consumers[0].quota is not None
    assert serving.limits == ServingSpec().limits


def test_every_status_is_listed_that_a_caller_may_meet():
    listed = set(re.findall(r"(?m)^\| `(\d{3})` \|", PAGE))
    responses = document("loans", "v1", "1", [], Probability())["paths"]["/systems/loans/v1/predict"]["post"][
        "responses"
    ]
    # Of a path or method that the document does not describe.
    assert listed == {*responses} - {"200"} | {"404", "405"}
    told = [mapper["filter"] for mapper in local_replies()["mappers"]]
    replies = {one["status_code_filter"]["comparison"]["value"]["default_value"] for one in told
               if "status_code_filter" in one}  # fmt: skip
    assert {int(code) for code in listed} - replies == {415, 422}, "these two are the process's own answers"


MANAGER = render_listener(SETTINGS)["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
FIGURES = (
    f"headers took over {SETTINGS.headers_timeout_s:g} s",
    f"all of it over {SETTINGS.request_timeout_s:g} s",
    f"more than {MANAGER['common_http_protocol_options']['max_headers_count']} headers",
    f"{MANAGER['max_request_headers_kb']} KiB of them",
    f"{Breaker().requests} requests at once",
    f"{SETTINGS.max_connections:,} connections",
    f"valid for {SERVER_DAYS} days",
    f"in its last {RENEW_DAYS}",
)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_the_one_in_force(figure):
    assert figure in " ".join(PAGE.split())


def test_alerts_are_named_as_they_are():
    for alert in yaml.safe_load(upkeep_rules("x"))["groups"][0]["rules"]:
        assert f"`{alert['alert']}`" in PAGE
    assert "under 14 days" in upkeep_rules("x")
    assert "fires when 14 are left" in PAGE
