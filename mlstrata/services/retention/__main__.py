"""`python -m mlstrata.services.retention --settings FILE`: one round of removing what has been kept long enough.

Prints what it did as one line of JSON; exit code 1 when something could not be removed, 2 when the settings are wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from mlstrata.services.problems import plain
from mlstrata.services.retention.needed import needs
from mlstrata.services.retention.pruning import prune
from mlstrata.services.retention.settings import RetentionSettings


def main() -> int:
    """Remove what may go."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.retention", description="Removes what has been kept long enough."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of RetentionSettings")
    given = parser.parse_args()
    try:
        settings = RetentionSettings.model_validate_json(given.settings.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"{given.settings}: {plain(error)}\n")
        return 2
    os.nice(19)  # whoever predicts, trains or scores comes first
    done = prune(settings, {system: needs(settings, system) for system in settings.systems}, time.time())
    sys.stdout.write(json.dumps(asdict(done)) + "\n")
    for one in done.failed:
        sys.stderr.write(f"not removed: {one}\n")
    return int(bool(done.failed))


if __name__ == "__main__":
    sys.exit(main())
