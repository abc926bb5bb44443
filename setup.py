"""Maps the rooms at the top level to packages of the one import name, `mlstrata` (docs/decisions/0018)."""

import tomllib
from pathlib import Path

from setuptools import find_packages, setup

NO_ROOMS = {"bench", "mlstrata"}
ROOMS = sorted({init.parent.name for init in Path().glob("*/__init__.py")} - NO_ROOMS)
FOLDERS = {"mlstrata": "mlstrata", **{f"mlstrata.{room}": room for room in ROOMS}}
NOT_OURS = ("steps", "steps.*")  # pipelines/steps is a distribution of its own

groups = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
setup(
    packages=[
        f"{package}.{inner}" if inner else package
        for package, folder in FOLDERS.items()
        for inner in ["", *find_packages(folder, exclude=NOT_OURS)]
    ],
    package_dir=FOLDERS,
    # All that the command, the program and the local services import, listed once: in the groups that are locked.
    install_requires=sorted({*groups["check"], *groups["services"], "mlstrata-steps==0.2.*", "pulumi-embedded==0.1.*"}),
)
