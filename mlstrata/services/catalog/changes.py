"""What an operator changes from a page: decisions of rows that wait, and orders about a system.

Nothing is changed here: the service whose matter it is does it, and keeps who asked and why. A form counts only with
the token of its session, so that no other page can send one in somebody's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from mlstrata.services.catalog.live.peers import Peer, PeerError
from mlstrata.services.catalog.live.traffic import Traffic
from mlstrata.services.retraining.orders import Order

RECORDER, LEARNING = "recorder", "learning"
_LONGEST, _LONGEST_REASON = 200, 900
_SECONDS = 60.0
"""How long an order may take: the gateway follows it before it is answered."""
COMMANDS: Mapping[Order, str] = {
    Order.STOP: "mlstrata stop {} {} --reason",
    Order.RESUME: "mlstrata resume {} {} --reason",
    Order.APPROVE: "mlstrata rollout {} {} --approve --reason",
    Order.ABORT: "mlstrata rollout {} {} --abort --reason",
}


class NotTaken(Exception):
    """What was asked for cannot be done; the message says why, for the person who asked."""


def decide(home: Path, place: str, form: Mapping[str, str], who: str) -> str:
    """Have the recorder keep a person's decision of a row that waits; return what to tell them.

    Args:
        home: The environment's home folder.
        place: QUEUE/SYSTEM.
        form: `id` and `instance` of the row and its `truth`.
        who: The person.

    Raises:
        NotTaken: The form lacks something, or the recorder is not there or refuses.
    """
    truth, instance = form.get("truth", "").strip(), form.get("instance", "0")
    if not truth or len(truth) > _LONGEST or not (instance.isascii() and instance.isdecimal()):
        raise NotTaken(f"Type what it really was, in at most {_LONGEST} characters.")
    recorder = Peer.find(home, RECORDER)
    if recorder is None:
        raise NotTaken("This environment has no recorder; its capability 'recording' brings one.")
    document = {"id": form.get("id", ""), "instance": int(instance[:9]), "truth": truth, "reviewer": who}
    try:
        recorder.post(f"/queue/{quote(place)}", document)
    except PeerError as error:
        raise NotTaken(f"Not kept: {error}.") from error
    return f"Kept: {document['id']} is {truth}, decided by {who}."


def possible(traffic: Traffic) -> tuple[Order, ...]:
    """Return what may be ordered about a system as it is now."""
    found = [Order.RESUME] if traffic.stopped else [Order.STOP] if traffic.shares else []
    if traffic.rollout is not None:
        found += [Order.ABORT] if traffic.rollout.approved_by else [Order.APPROVE, Order.ABORT]
    return tuple(found)


def command(order: Order, environment: str, system: str) -> str:
    """Return the command that does the same as an order."""
    return COMMANDS[order].format(environment, system) + ' "WHY"'


def order(home: Path, place: tuple[str, str], form: Mapping[str, str], who: str) -> str:
    """Have the learning process carry out an order about a system; return what to tell who gave it.

    Args:
        home: The environment's home folder.
        place: The environment and the system.
        form: The `order` and its `reason`.
        who: The person.

    Raises:
        NotTaken: The form lacks something, or the learning process is not there or refuses.
    """
    try:
        wanted = Order(form.get("order", ""))
    except ValueError:
        raise NotTaken(f"Order one of {', '.join(Order)}.") from None
    reason = " ".join(form.get("reason", "").split())
    if not reason or len(reason) > _LONGEST_REASON:
        raise NotTaken(f"Say why, in at most {_LONGEST_REASON} characters; it stands in the audit log.")
    learning = Peer.find(home, LEARNING)
    if learning is None:
        raise NotTaken(f"Nothing carries out orders here; type: {command(wanted, *place)}")
    document = {"order": wanted.value, "reason": reason, "who": who}
    try:
        done = learning.post(f"/systems/{quote(place[1])}/orders", document, seconds=_SECONDS)
    except PeerError as error:
        raise NotTaken(f"Not done: {error}. By command: {command(wanted, *place)}") from error
    return f"Done: {done.get('told', wanted.value)}. Ordered by {who}: {reason}"
