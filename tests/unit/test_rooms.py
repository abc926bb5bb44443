"""Dependencies point one way: what each room may import of the others."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIT = {"closed", "files", "kubeflow_sdk", "waiting", "worker"}
"""Modules beside the rooms, which every room above `environments` may import."""
MAY_IMPORT = {
    "environments": set(),
    **{module: {"environments"} for module in KIT},
    "audit": {"environments"},
    "clients": {"environments"},
    "pipelines": {"environments"},
    "policies": {"environments", "pulumi_embedded"},
    "services": {"environments", "pipelines", "clients", "audit"},
    "components": {"environments", "services", "clients", "audit"},
    "stacks": {"environments", "services", "components", "clients", "audit"},
    "evidence": {"environments", "policies"},
    "operations": {
        *("environments", "audit", "clients", "pipelines", "policies", "services", "components", "stacks", "evidence"),
        "pulumi_embedded",
    },
    "cli": {
        "environments",
        "audit",
        "policies",
        "operations",
        "pulumi_embedded",
    },
    "pulumi_embedded": set(),
}
ROOMS = tuple(MAY_IMPORT)
HEAVY = ("mlflow", "mlserver", "kfp", "pandas", "sklearn", "pulumi_aws", "pulumi_kubernetes", "starlette", "uvicorn")


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Absolute names of the modules that a file imports; with `top_level`, only when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    if top_level:
        lazy = {
            id(inner)
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _only_for_types(node)
            for inner in ast.walk(node)
        }
        nodes = [node for node in nodes if id(node) not in lazy]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            yield node.module or ""


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def folder(package: str) -> Path:
    """Return where a package of mlstrata, or the engine, lies."""
    if package == "pulumi_embedded":
        return ROOT / "packages/pulumi-embedded/pulumi_embedded"
    at_the_top = ROOT / package  # the others lie in mlstrata/
    return at_the_top if (at_the_top / "__init__.py").is_file() else ROOT / "mlstrata" / package


def files(room: str) -> list[Path]:
    if room in KIT:
        return [folder(room).with_suffix(".py")]
    skipped = {"steps"} if room == "pipelines" else set()
    return [path for path in folder(room).rglob("*.py") if not skipped & set(path.relative_to(folder(room)).parts)]


def room_of(module: str) -> str | None:
    """Return the room that a module of ours is in; None for anybody else's."""
    first, _, rest = module.partition(".")
    if first == "mlstrata":
        return rest.partition(".")[0] or None
    return first if first == "pulumi_embedded" else None


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str):
    allowed = MAY_IMPORT[room] | {room} | (set() if room in {"environments", "pulumi_embedded", *KIT} else KIT)
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if (other := room_of(name)) is not None and other not in allowed
    ]
    assert not wrong


def test_every_room_is_there():
    assert all(files(room) for room in ROOMS)


@pytest.mark.parametrize("room", ["operations", "cli"])
def test_where_an_environment_runs_is_for_its_adapter_to_know(room: str):
    compared = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith("target.kind")
    ]
    assert [one for one in compared if "migration.py" not in one] == []  # whose targets are stores of artifacts


def test_environments_touch_no_pulumi():
    assert not [path for path in files("environments") for name in imports(path) if name.split(".")[0] == "pulumi"]


def reached(start: set[str]) -> set[str]:
    """Our modules that get imported with those in `start`."""
    seen: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name in seen or (path := _file(name)) is None:
            continue
        seen.add(name)
        todo += [imported for imported in imports(path, top_level=True) if room_of(imported)]
        todo += [f"{name.rpartition('.')[0]}"] if "." in name else []
    return seen


def _file(module: str) -> Path | None:
    room = room_of(module)
    if room is None:
        return None
    inner = module.split(".")[2:] if module.startswith("mlstrata.") else module.split(".")[1:]
    base = folder(room).joinpath(*inner)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@pytest.mark.parametrize("module", ["mlstrata.stacks.__main__", "mlstrata.cli.main"])
def test_the_program_and_the_command_line_load_nothing_heavy(module: str):
    heavy = {
        f"{name} imports {imported}"
        for name in reached({module})
        for imported in imports(_file(name), top_level=True)
        if imported.split(".")[0] in HEAVY
    }
    assert not heavy


def test_components_take_only_contracts_and_renderers_from_services():
    """What a component and a service share is typed settings and pure rendering: nothing that serves or trains."""
    runs = {*HEAVY, "sqlite3", "subprocess", "http.server", "prometheus_client"}
    shared = {name for path in files("components") for name in imports(path) if name.startswith("mlstrata.services.")}
    wrong = {
        f"{name} imports {imported}"
        for name in reached(shared)
        if name.startswith("mlstrata.services.")
        for imported in imports(_file(name), top_level=True)
        if imported in runs or imported.split(".")[0] in runs
    }
    assert shared
    assert not wrong


@pytest.mark.parametrize("room", ["environments", "components", "stacks"])
def test_no_file_leads_back_to_itself(room: str):
    """Imports of any kind, those inside functions too: a circle of files has no first one to read."""
    inside = {name for path in files(room) if (name := _module(path))}
    sorter = TopologicalSorter(
        {
            name: {one for one in _imported(_file(name)) if one in inside and one != name}
            for name in inside
            if _file(name) is not None
        }
    )
    sorter.prepare()  # raises CycleError, which names the files


def _module(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("mlstrata", *(names[:-1] if names[-1] == "__init__" else names)))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` leads to the module; `from module import name`, to what holds the name.
            inner = {f"{node.module}.{one.name}" for one in node.names}
            modules = {one for one in inner if _file(one) is not None}
            yield from modules or {node.module}
