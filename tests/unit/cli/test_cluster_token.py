"""Tokens of an environment on a cluster: signed by a key here, known to the gateway by its public half there."""

import json
import shutil
from pathlib import Path

import jwt
import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.components.gateway.system_route import KEYS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "environments").mkdir()
    for name in ("dev", "local", "prod"):
        shutil.copy(ROOT / f"environments/{name}.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MLSTRATA_TOKEN_KEY", raising=False)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["token", *arguments]) == 0
    return capsys.readouterr().out


def test_the_gateways_config_maps_verify_the_tokens(workspace: Path, capsys: pytest.CaptureFixture[str]):
    made = list(yaml.safe_load_all(printed(capsys, "dev", "--keys")))
    assert [(one["kind"], one["metadata"]["name"], one["metadata"]["namespace"]) for one in made] == [
        ("ConfigMap", KEYS, "mlstrata-dev-lending"),
        ("ConfigMap", KEYS, "mlstrata-dev-service-desk"),
    ]
    key = workspace / ".mlstrata/dev/token-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in str(made)
    token = printed(capsys, "dev", "underwriter-desk").strip()
    [public] = [jwt.PyJWK(one) for one in json.loads(made[0]["data"]["jwks"])["keys"]]
    claims = jwt.decode(token, public, algorithms=["ES256"], audience="mlstrata", issuer="mlstrata/dev")
    assert (claims["sub"], claims["systems"]) == ("underwriter-desk", ["mortgage-approval"])
    assert jwt.get_unverified_header(token)["kid"] == public.key_id
    assert list(yaml.safe_load_all(printed(capsys, "dev", "--keys"))) == made, "the key is made once"


def test_where_the_key_is_can_be_said(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("MLSTRATA_TOKEN_KEY", str(workspace / "safe/key.pem"))
    document = json.loads(printed(capsys, "prod", "--keys", "--json"))
    assert document["namespaces"] == ["mlstrata-lending", "mlstrata-service-desk"]
    assert (workspace / "safe/key.pem").exists()
    assert not (workspace / ".mlstrata").exists()
    assert printed(capsys, "prod", "help-centre").count(".") == 2


def accepted(printed_maps: str) -> list[jwt.PyJWK]:
    """Return the keys whose tokens a gateway takes that was given these ConfigMaps."""
    first, *others = (json.loads(one["data"]["jwks"]) for one in yaml.safe_load_all(printed_maps))
    assert others == [first] * len(others)
    return [jwt.PyJWK(one) for one in first["keys"]]


def taken(token: str, keys: list[jwt.PyJWK]) -> bool:
    kid = jwt.get_unverified_header(token)["kid"]
    for key in keys:
        if key.key_id == kid:
            jwt.decode(token, key, algorithms=["ES256"], audience="mlstrata")
            return True
    return False


def test_a_new_key_signs_beside_the_old_one_until_that_is_retired(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    printed(capsys, "dev", "--keys")
    old = printed(capsys, "dev", "underwriter-desk").strip()
    both = accepted(printed(capsys, "dev", "--rotate"))
    new = printed(capsys, "dev", "underwriter-desk").strip()
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert [taken(one, both) for one in (old, new)] == [True, True]
    assert accepted(printed(capsys, "dev", "--keys"))[1].key_id == both[1].key_id, "printed again, as it is"
    folder = workspace / ".mlstrata/dev"
    assert {path.name for path in folder.glob("token-key*")} == {
        "token-key.pem", "token-key-2.pem", "token-key-rotation.json",
    }  # fmt: skip
    assert (folder / "token-key-2.pem").stat().st_mode & 0o777 == 0o600

    for command, told in (
        ("--rotate", "retire it first: `mlstrata token dev --retire`"),
        ("--retire", "are good until"),
    ):
        assert main(["token", "dev", command]) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    only = accepted(printed(capsys, "dev", "--retire", "--at-once"))
    assert [taken(one, only) for one in (old, new)] == [False, True]
    assert not (folder / "token-key.pem").exists()
    assert taken(printed(capsys, "dev", "underwriter-desk").strip(), only)
    assert main(["token", "dev", "--retire"]) == 2
    assert "no key waits to be retired" in capsys.readouterr().err
    assert len(accepted(printed(capsys, "dev", "--rotate"))) == 2


def test_a_rotation_that_is_cut_off_is_ended_by_the_next(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    printed(capsys, "dev", "--keys")
    before = printed(capsys, "dev", "underwriter-desk").strip()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mlstrata.services.gateway.rotation.write_private", cut_off)
        assert main(["token", "dev", "--rotate"]) == 130
    still = printed(capsys, "dev", "underwriter-desk").strip()
    assert jwt.get_unverified_header(still)["kid"] == jwt.get_unverified_header(before)["kid"]
    keys = accepted(printed(capsys, "dev", "--rotate"))
    assert taken(before, keys)
    assert len(keys) == 2


def test_a_key_that_is_gone_after_a_rotation_is_not_made_anew(workspace: Path, capsys: pytest.CaptureFixture[str]):
    printed(capsys, "dev", "--keys")
    printed(capsys, "dev", "--rotate")
    (workspace / ".mlstrata/dev/token-key.pem").unlink()
    assert main(["token", "dev", "--keys"]) == 2
    assert "no key signs tokens of dev here; put it back" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dev", "underwriter-desk"], "`mlstrata token dev --keys` makes one, or name yours in MLSTRATA_TOKEN_KEY"),
        (["dev", "nobody"], "no system has a consumer 'nobody'; allowed load-test, underwriter-desk"),
        (["dev", "--rotate"], "`mlstrata token dev --keys` makes one"),
        (["local", "--keys"], "`mlstrata up local` makes the keys of its gateway"),
        (["dev", "underwriter-desk", "--keys"], "give one of CONSUMER"),
    ],
)
def test_what_does_not_go_is_told(workspace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str):
    assert main(["token", *arguments]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_one_message(workspace: Path, capsys: pytest.CaptureFixture[str], text: str):
    (workspace / ".mlstrata/dev").mkdir(parents=True)
    (workspace / ".mlstrata/dev/token-key.pem").write_text(text)
    assert main(["token", "dev", "underwriter-desk"]) == 2
    assert "name a private key on the curve P-256" in " ".join(capsys.readouterr().err.split())
