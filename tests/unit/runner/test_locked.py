"""What training says it ran with is what is installed: the lock where that is true."""

from importlib.metadata import version
from pathlib import Path

import pytest

from mlstrata.environments import installation
from mlstrata.services.runner import locked
from mlstrata.services.runner.locked import requirements
from mlstrata_steps.package import SERVED_WITH, SERVER, entries, needed, pinned


def test_an_installation_from_the_lock_has_the_lock(tmp_path: Path) -> None:
    assert requirements(tmp_path) == installation.lock()
    assert not list(tmp_path.iterdir())


def test_another_version_is_pinned_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = installation.lock().read_text()
    shipped = tmp_path / "services.txt"
    shipped.write_text(text.replace(f"scipy=={version('scipy')} ", "scipy==0.1 "))
    monkeypatch.setattr(locked, "lock", lambda: shipped)
    found = requirements(tmp_path / "kept")
    first = found.read_bytes()
    chosen = needed(entries(first.decode()), (*SERVED_WITH, *SERVER))
    assert chosen["scipy"] == f"scipy=={version('scipy')}\n", "no hash of the lock belongs to this version"
    assert chosen["numpy"] == entries(text)["numpy"], "the lock's version keeps the lock's hashes"
    assert all(pinned(lines) == version(name) for name, lines in chosen.items())
    assert requirements(tmp_path / "kept") == found
    assert found.read_bytes() == first


def test_a_distribution_that_the_lock_lacks_is_pinned_too(tmp_path: Path) -> None:
    assert "pytest" not in entries(installation.lock().read_text())
    found = requirements(tmp_path, (*SERVED_WITH, *SERVER, "pytest"))
    assert entries(found.read_text())["pytest"] == f"pytest=={version('pytest')}\n"
