"""The gateway's own answers, in the shape the prediction process uses: code, message, request id."""

from __future__ import annotations

from typing import Any

from mlstrata.services.serving.problem import OVERLOADED, RETRY_AFTER_S

# status: (code, message). The message says what to do next; `%LOCAL_REPLY_BODY%` is Envoy's own reason.
_REPLIES: dict[int, tuple[str, str]] = {
    400: ("bad_request", "the request is not valid HTTP for this path: %LOCAL_REPLY_BODY%"),
    401: (
        "unauthenticated",
        "%LOCAL_REPLY_BODY%; send 'Authorization: Bearer <token>' with a token of this environment",
    ),
    403: ("forbidden", "this token gives no access here; ask for one of this consumer and system"),
    404: ("unknown_path", "nothing is served at this path; predictions are at POST /systems/<system>/v1/predict"),
    405: ("method_not_allowed", "predictions are asked for with POST"),
    408: ("too_slow", "the request took too long to arrive"),
    410: ("retired", "this system was retired and answers no more; the header link names the one that follows, if any"),
    413: ("body_too_large", "the body is larger than this system takes; send fewer instances a request"),
    426: ("upgrade_required", "HTTP/1.1 or HTTP/2 is needed"),
    429: ("rate_limited", "over this consumer's rate; wait the seconds of x-ratelimit-reset"),
    431: ("headers_too_large", "the headers are larger than the gateway takes"),
    500: ("internal", "the gateway could not handle the request"),
    502: ("bad_answer", "the system's answer could not be understood; try again shortly"),
    503: ("unavailable", "the system does not answer; try again shortly"),
    504: ("timed_out", "the system took too long to answer"),
}
STOPPED_STATUS = 598
"""What the route of a stopped system answers inside of Envoy, which knows answers apart by status; callers get 503."""


def local_replies() -> dict[str, Any]:
    """Return Envoy's configuration of the answers it gives itself."""
    return {"mappers": [_overloaded(), _stopped(), *(_mapper(status, *reply) for status, reply in _REPLIES.items())]}


def _overloaded() -> dict[str, Any]:
    """Say of a request beyond what a system is asked for at once what its process says of one that it refuses."""
    return {
        "filter": {"response_flag_filter": {"flags": ["UO"]}},
        "headers_to_add": [{"header": {"key": "retry-after", "value": str(RETRY_AFTER_S)}}],
        "body_format_override": _body("overloaded", OVERLOADED),
    }


def _stopped() -> dict[str, Any]:
    """Say of a request to a system that was stopped that this was decided: asking again does not help."""
    message = "this system was stopped by a person and answers nothing until it is resumed; ask its owner"
    return _mapper(STOPPED_STATUS, "stopped", message) | {"status_code": 503}


def _mapper(status: int, code: str, message: str) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"mlstrata.local_reply.{status}"}
    return {
        "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}},
        "body_format_override": _body(code, message),
    }


def _body(code: str, message: str) -> dict[str, Any]:
    return {"json_format": {"error": {"code": code, "message": message}, "request_id": "%REQ(X-REQUEST-ID)%"}}
