"""`python -m mlstrata.pipelines compile NAME -o FILE`: write a pipeline's IR."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlstrata.pipelines.compile import PIPELINES, compile_pipeline


def main() -> int:
    """Compile what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.pipelines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="write a pipeline's IR, the file every target runs")
    command.add_argument("name", choices=PIPELINES)
    command.add_argument("-o", "--output", type=Path, required=True, help="the YAML file to write")
    command.add_argument("--gpus", type=int, default=0, help="accelerators for the steps that use them (default 0)")
    arguments = parser.parse_args()
    compile_pipeline(arguments.name, arguments.output, gpus=arguments.gpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
