"""What an operator changes from a page: decisions of rows that wait, and orders about a system.

Nothing is changed here: the service whose matter it is does it, and keeps who asked and why. A form counts only with
the token of its session, so that no other page can send one in somebody's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from mlstrata.services.catalog.live.peers import Peer, PeerError

RECORDER = "recorder"
_LONGEST = 200


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
