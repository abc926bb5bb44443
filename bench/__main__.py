"""`make bench`: how long `up` and `plan` take, and what a system answers under load, beside what could be at most."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.converted import measure_converted
from bench.drift import measure_drift
from bench.engines import measure_engines
from bench.overload import measure_overload
from bench.plan import measure_plan
from bench.policies import measure_policies
from bench.recording import measure_recording
from bench.startup import measure_startup


def main() -> None:
    """Run the measurements that were asked for, all by default, and print each with its parts."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    measures = {
        "up": measure_startup,
        "plan": measure_plan,
        "policies": measure_policies,
        "engines": measure_engines,
        "overload": measure_overload,
        "recording": measure_recording,
        "drift": measure_drift,
        "onnx": measure_converted,
    }
    parser.add_argument("which", nargs="*", choices=[*measures, []], help="what to measure (default: all)")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    figures = {name: measures[name]() for name in arguments.which or measures}
    for name, found in figures.items():
        print(name)
        for label, value in found.items():
            print(f"  {label:<42} {value}")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
