"""The Go tools are built on a machine that has no module yet, as on one that has them all."""

import os
import subprocess
import sys
from pathlib import Path

INSTALL = Path(__file__).parents[3] / "tools/install-go-tools"
GO = """\
#!{python}
import json, pathlib, sys

modules, arguments = pathlib.Path({modules!r}), sys.argv[1:]
there = modules / "there"
if arguments[:2] == ["mod", "download"]:
    there.touch()
elif arguments[0] == "list":  # as Go's own: of a module that was not downloaded it knows no folder
    print(modules if there.exists() else "")
elif arguments[0] == "build":
    told = dict(zip(arguments, arguments[1:]))
    replaced = json.loads(pathlib.Path(told["-overlay"]).read_text())["Replace"]
    if missing := [path for path in replaced.values() if not pathlib.Path(path).is_file()]:
        sys.exit(f"no matching files found: {{missing}}")
    pathlib.Path(told["-o"]).touch(0o755)
"""


def test_what_a_program_embeds_is_downloaded_before_it_is_laid_beside_it(tmp_path):
    modules, bin_ = tmp_path / "modules", tmp_path / "bin"
    embedded = (INSTALL.parent / "pulumi/kubernetes-provider/embedded.txt").read_text(encoding="utf-8")
    for path in [row.split()[2] for row in embedded.splitlines() if not row.startswith("#")]:
        file = modules / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    bin_.mkdir()
    (bin_ / "go").write_text(GO.format(python=sys.executable, modules=str(modules)), encoding="utf-8")
    (bin_ / "go").chmod(0o755)
    variables = {**os.environ, "MLSTRATA_TOOLS": str(tmp_path / "tools"), "PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run([INSTALL, "pulumi"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [INSTALL, "--where", "pulumi"]
    where = subprocess.run(asked, env=variables, capture_output=True, text=True, check=True).stdout
    built = [Path(line.split()[1]) for line in where.splitlines()]
    assert len(built) == 2
    assert all(path.exists() for path in built)
