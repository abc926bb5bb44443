"""The distribution: its README's example, what importing it costs, no circle of files, its markers, its types."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pulumi.runtime import rpc

import pulumi_embedded
from pulumi_embedded import wire

PACKAGE = Path(pulumi_embedded.__file__).parent
README = PACKAGE.parent / "README.md"
PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    serialize_as_secret_always = False
    def create(self, props):
        return CreateResult(props["name"], props)

class Shelf(Resource):
    def __init__(self, name):
        super().__init__(Provider(), name, {"name": name})

pulumi.export("shelf", Shelf("books").id)
"""


def test_the_example_of_the_readme_runs_from_a_relative_folder(tmp_path, monkeypatch):
    example = README.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "infra/__main__.py").write_text(PROGRAM)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "{'create': 2}" in lines
    assert lines[-1] == "{'shelf': 'books'}"
    assert (tmp_path / ".pulumi/stacks/shop/dev.json").is_file()


def test_importing_it_is_cheap():
    heavy = "{'pulumi', 'yaml', 'grpc', 'cryptography'}"
    code = f"import pulumi_embedded, sys; print(sorted({{m.split('.')[0] for m in sys.modules}} & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def imported(path: Path) -> set[str]:
    """Names of this package's modules that a file imports anywhere, for its types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "pulumi_embedded":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pulumi_embedded."):
            found.add(str(node.module).split(".")[1])
    return found


def test_no_files_import_each_other_in_a_circle():
    graph = {path.stem: imported(path) for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    while free := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph


def test_the_markers_are_those_of_the_sdk():
    assert rpc.UNKNOWN == wire.UNKNOWN_TEXT
    assert wire.UNKNOWN_TEXT in wire.UNKNOWNS
    assert rpc._special_sig_key == wire.SIGNATURE
    assert rpc._special_secret_sig == wire.SECRET
    assert rpc._special_output_value_sig == wire.OUTPUT
    assert rpc._special_resource_sig == wire.REFERENCE
    assert {rpc._special_asset_sig, rpc._special_archive_sig} == wire.ASSETS


@pytest.mark.parametrize("text", sorted(wire.UNKNOWNS))
def test_every_kind_of_unknown_is_unknown(text):
    from google.protobuf import struct_pb2

    from pulumi_embedded.values import from_wire

    assert from_wire(struct_pb2.Value(string_value=text)) is pulumi_embedded.UNKNOWN


def test_it_has_a_version_of_its_own_and_types():
    assert version("pulumi-embedded")
    assert (PACKAGE / "py.typed").is_file()
