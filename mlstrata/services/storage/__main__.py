"""`python -m mlstrata.services.storage copy|empty`: moves artifacts between stores.

On standard output, one JSON object a line: `{"done", "all"}` while it works, last `{"result", "error"}`. It ends with
whoever holds the other end of its standard input. Exit code 0 when everything was proved, 1 when something was not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    given = parser.parse_args()
    threading.Thread(target=_end_with_caller, daemon=True).start()
    settings = CopySettings.model_validate_json(given.settings.read_text(encoding="utf-8"))
    try:
        if given.what == "empty":
            proved = json.loads(given.manifest.read_text(encoding="utf-8"))
            result: dict[str, Any] = {"removed": empty(opened(settings.source), proved)}
        else:
            done = copy(opened(settings.source), opened(settings.target), lambda n, of: _say({"done": n, "all": of}))
            _write(given.manifest, json.dumps(done.digests, indent=0, sort_keys=True))
            result = {key: value for key, value in asdict(done).items() if key != "digests"}
    except (StorageError, OSError) as error:
        _say({"result": None, "error": str(error)})
        return 1
    _say({"result": result, "error": None})
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.tmp")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _end_with_caller() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
