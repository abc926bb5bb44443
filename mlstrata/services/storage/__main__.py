"""`python -m mlstrata.services.storage copy|empty`: moves artifacts between stores.

Standard output follows the protocol of `mlstrata.worker`, with `{"done", "all"}` as progress. Exit code 0 when every
artifact was verified, 1 when one was not.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlstrata import files, worker
from mlstrata.services.storage.copying import copy, empty
from mlstrata.services.storage.settings import CopySettings
from mlstrata.services.storage.stores import StorageError, opened


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.storage", description="Moves artifacts between stores."
    )
    parser.add_argument("what", choices=("copy", "empty"), help="copy to the target, or empty the source")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of CopySettings")
    parser.add_argument("--manifest", type=Path, required=True, help="JSON file of what was proved to be at the target")
    parser.add_argument(worker.ATTACHED, action="store_true", help="end when standard input ends")
    given = parser.parse_args()
    if given.attached:
        worker.end_with_caller()
    settings = CopySettings.model_validate_json(given.settings.read_text(encoding="utf-8"))
    try:
        if given.what == "empty":
            proved = json.loads(given.manifest.read_text(encoding="utf-8"))
            result: dict[str, Any] = {"removed": empty(opened(settings.source), proved)}
        else:
            source, target = opened(settings.source), opened(settings.target)
            done = copy(source, target, lambda n, of: worker.tell({"done": n, "all": of}))
            files.write(given.manifest, json.dumps(done.digests, indent=0, sort_keys=True))
            result = {key: value for key, value in asdict(done).items() if key != "digests"}
    except (StorageError, OSError) as error:
        return worker.fail(str(error))
    return worker.finish(result)


if __name__ == "__main__":
    sys.exit(main())
