"""`mlstrata predict`: one request through the gateway, as a consumer would send it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.predict import ask


def predict(name: str, system: str, file: str, *, consumer: str | None, as_json: bool) -> None:
    """Send the request in `file` and show the answer; exit 1 when it is not a prediction."""
    deployment = Deployment.open(name)
    deployment.target.here("predict")
    answer = ask(deployment, deployment.system(system), _body(file), consumer)
    if as_json:
        say_json(answer)
    else:
        say(json.dumps(answer))


def _body(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: cannot read the request ({error.strerror}); name a JSON file, or - for input"
        ) from None
