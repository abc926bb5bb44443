"""The authority, its certificates, and the resources that make them and the signing keys."""

import json
import ssl
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from mlstrata.components.gateway.certificate import CertificateProvider
from mlstrata.components.gateway.keys import SigningKeysProvider
from mlstrata.services.gateway.certificates import RENEW_DAYS, expires, make_authority, make_server, needs_renewal
from mlstrata.services.gateway.tokens import public_jwks


def test_a_server_s_certificate_is_signed_by_its_authority_and_no_other():
    key, authority = make_authority("mlstrata/test")
    _, other = make_authority("mlstrata/test")
    _, server = make_server(key, authority)
    one, issuer, foreign = (x509.load_pem_x509_certificate(text.encode()) for text in (server, authority, other))
    one.verify_directly_issued_by(issuer)
    with pytest.raises(InvalidSignature):
        one.verify_directly_issued_by(foreign)
    names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_whoever_trusts_the_authority_trusts_it_for_this_machine_only():
    """With its key, which somebody might steal, nobody passes for a bank in a browser that trusts it."""
    key, authority = make_authority("mlstrata/test")
    root = x509.load_pem_x509_certificate(authority.encode())
    limits = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    permitted = limits.value.permitted_subtrees
    assert [str(one.value) for one in permitted] == ["localhost", "127.0.0.1/32", "::1/128"]

    def handshake(*made, name):
        trust = ssl.create_default_context(cadata=authority)
        ours, theirs, back = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(made))
            file.flush()
            back.load_cert_chain(file.name)
        client = trust.wrap_bio(ours, theirs, server_hostname=name)
        server = back.wrap_bio(theirs, ours, server_side=True)
        for _ in range(4):
            for side in (client, server):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()

    handshake(*make_server(key, authority), name="localhost")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(*make_server(key, authority, names=["bank.example"]), name="bank.example")


def test_it_is_renewed_in_time_and_the_authority_stays():
    provider = CertificateProvider()
    made = provider.create({"authority_name": "mlstrata/test"}).outs
    assert not provider.diff("id", made, {"authority_name": "mlstrata/test"}).changes
    late = expires(made["certificate"]) - timedelta(days=RENEW_DAYS) + timedelta(minutes=1)
    assert needs_renewal(made["certificate"], late)
    assert not needs_renewal(made["certificate"], late - timedelta(minutes=2))

    _, old = make_server(made["authority_key"], made["authority"], days=RENEW_DAYS - 1)
    due = made | {"certificate": old}
    found = provider.diff("id", due, {"authority_name": "mlstrata/test"})
    assert (found.changes, found.replaces) == (True, [])
    renewed = provider.update("id", due, {"authority_name": "mlstrata/test"}).outs
    assert renewed["authority"] == made["authority"]
    assert renewed["certificate"] not in (old, made["certificate"])
    assert expires(renewed["certificate"]) > datetime.now(UTC) + timedelta(days=60)
    assert renewed["tls"] != made["tls"]
    assert provider.diff("id", made, {"authority_name": "another"}).replaces == ["authority_name"]


def test_signing_keys_come_and_go_by_number_and_the_others_stay():
    provider = SigningKeysProvider()
    one = provider.create({"oldest": 1, "newest": 1}).outs
    two = provider.update("id", one, {"oldest": 1, "newest": 2}).outs
    last = provider.update("id", two, {"oldest": 2, "newest": 2}).outs
    first, both, second = (json.loads(outs["secret"]) for outs in (one, two, last))
    assert (set(first), set(both), set(second)) == ({"1"}, {"1", "2"}, {"2"})
    assert (both["1"], both["2"]) == (first["1"], second["2"])
    assert first["1"] != second["2"]
    assert json.loads(two["public"]) == public_jwks(both["1"], both["2"])
    assert len({key["kid"] for key in json.loads(two["public"])["keys"]}) == 2
    assert provider.diff("id", one, {"oldest": 1, "newest": 2}).changes
    assert not provider.diff("id", two, {"oldest": 1, "newest": 2}).changes
