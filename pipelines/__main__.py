"""`python -m mlstrata.pipelines compile NAME -o FILE`: write a pipeline's IR."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlstrata.environments import Workspace, WorkspaceError
from mlstrata.pipelines.compile import PipelineError, compile_pipeline
from mlstrata_steps import StepError


def main() -> int:
    """Compile what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.pipelines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="write a pipeline's IR, the file every target runs")
    command.add_argument("name", help="training, or MODULE:NAME of the workspace's folder pipelines/")
    command.add_argument("-o", "--output", type=Path, required=True, help="the YAML file to write")
    command.add_argument("--gpus", type=int, default=0, help="accelerators for the steps that use them (default 0)")
    arguments = parser.parse_args()
    try:
        workspace = Workspace.find()
    except WorkspaceError:
        workspace = None
    try:
        compile_pipeline(arguments.name, arguments.output, gpus=arguments.gpus, workspace=workspace)
    except (PipelineError, StepError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
