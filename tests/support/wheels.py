"""Our three distributions as wheels, built from the files of the repository alone."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = (".", "packages/pulumi-embedded", "pipelines/steps")


def build(folder: Path) -> list[Path]:
    """Build the wheels into `folder`, from a copy: what a former build left in the checkout must not get in."""
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    # A file of a user's in the folders that become packages, as in a fork.
    (source / "environments/acme.yaml").write_text("name: acme\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--wheel-dir", folder, *(str(source / one) for one in DISTRIBUTIONS)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    shutil.rmtree(source)
    return sorted(folder.glob("*.whl"))
