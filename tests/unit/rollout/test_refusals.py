"""What kubectl complains of, in words that say what to do about it."""

import pytest

from mlstrata.clients.kubectl import refusal
from mlstrata.clients.kubectl_errors import Outdated
from mlstrata.operations.releases.kubernetes import ClusterError, Forbidden, Kubectl, Missing

FORBIDDEN = (
    'Error from server (Forbidden): seldondeployments.machinelearning.seldon.io "loans" is forbidden: User "ana" '
    'cannot patch resource "seldondeployments" in API group "machinelearning.seldon.io" in the namespace "lending"'
)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ('error: context "ml-dev" does not exist', ClusterError, "target.context"),
        (FORBIDDEN, Forbidden, "release-SYSTEM"),
        ("error: You must be logged in to the server (Unauthorized)", ClusterError, "log in anew"),
        (
            'error: Apply failed with 1 conflict: conflict with "x": .spec.annotations.v',
            ClusterError,
            "remove it there",
        ),
        (
            'Error from server (Conflict): Operation cannot be fulfilled on seldondeployments "loans": the object has '
            "been modified; please apply your changes to the latest version and try again",
            Outdated,
            "run this again",
        ),
        ('Error from server (NotFound): seldondeployments "loans" not found', Missing, "pulumi up"),
        ('error: the server doesn\'t have a resource type "seldondeployments"', Missing, "pulumi up"),
        ("something new", ClusterError, "something new"),
    ],
)
def test_a_refusal_says_what_to_do(said, kind, words):
    found = refusal("ml-dev", "context ml-dev: patch loans in lending", said)
    assert type(found) is kind
    assert words in str(found)
    assert str(found).startswith("context ml-dev: patch loans in lending: ")
    assert not found.lost


@pytest.mark.parametrize(
    "said",
    [
        "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout",
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?",
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
        "Unable to connect to the server: net/http: TLS handshake timeout",
        "error: Get https://127.0.0.1/api: EOF",
    ],
)
def test_a_server_that_is_away_may_be_asked_again(said):
    assert refusal("ml-dev", "get", said).lost


def test_a_machine_without_kubectl_is_told_so():
    with pytest.raises(ClusterError, match=r"no-such-kubectl: no such program; install kubectl"):
        Kubectl("ml-dev", "no-such-kubectl").get("pods", "x", "y")


def test_a_server_that_stays_away_is_given_up_in_time(tmp_path):
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho asked >> \"$0.log\"\necho 'Unable to connect to the server: EOF' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ClusterError, match="does not answer") as raised:
        Kubectl("ml-dev", str(program), patience_s=0.8).get("pods", "x", "y")
    assert raised.value.lost
    assert len((tmp_path / "kubectl.log").read_text().splitlines()) >= 2
