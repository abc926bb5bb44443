"""The signing key and its public half: what one signs the other verifies."""

import json

import jwt
import pytest

from mlstrata.components.supervision.credential import generate


def test_what_the_key_signs_its_public_set_verifies():
    private, public = generate("es256")
    (key,) = json.loads(public)["keys"]
    token = jwt.encode({"sub": "desk"}, private, algorithm="ES256", headers={"kid": key["kid"]})
    assert jwt.decode(token, jwt.PyJWK(key).key, algorithms=["ES256"]) == {"sub": "desk"}
    assert "d" not in key
    _, other = generate("es256")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, jwt.PyJWK(json.loads(other)["keys"][0]).key, algorithms=["ES256"])
