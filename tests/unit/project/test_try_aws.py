"""The script that tries AWS for real looks at what it says, and says what is wrong; here against stand-ins."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ANSWERS = """\
case "$*" in
  *get-caller-identity*) echo 123456789012 ;;
  *endpointPublicAccess*) echo ${ENDPOINT:-False} ;;
  *encryptionConfig*) echo secrets ;;
  *PubliclyAccessible*) echo False ;;
  *StorageEncrypted*) echo True ;;
  *get-public-access-block*) printf 'True\\tTrue\\tTrue\\tTrue\\n' ;;
  *get-object-lock*) echo COMPLIANCE ;;
  *get-trail-status*) echo True ;;
esac
"""


@pytest.fixture
def tried(tmp_path):
    """Runs the script in the repository; gives its code, what it said, and what our command was asked."""
    asked = tmp_path / "asked"
    for name, does in {"aws": ANSWERS, "mlstrata": f'echo "$@" >> {asked}\n'}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{does}", encoding="utf-8")
        program.chmod(0o755)

    def run(*arguments, **variables):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
        command = [str(ROOT / "tools/try-aws"), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr, asked.read_text(encoding="utf-8").splitlines()

    return run


def test_it_brings_up_layer_by_layer_looks_and_takes_down(tried):
    code, said, asked = tried("prod")
    assert code == 0, said
    assert said.count("ok    ") == 7
    assert asked[:3] == ["validate prod", "check prod", "cost prod"]
    assert asked[3:] == [
        "up prod --layer substrate",
        "plan prod --layer substrate",
        "up prod --layer platform",
        "status prod",
        "down prod --yes",
    ]


def test_what_is_open_is_said_and_fails(tried):
    code, said, asked = tried("prod", "--keep", ENDPOINT="True")
    assert code == 1
    assert "WRONG the API server has no public endpoint: wanted 'False', got 'True'" in said
    assert "down prod --yes" not in asked
