"""A kubectl for tests: keeps objects in a file, and records every argument and manifest that it gets."""

import json
import os
import re
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_CLUSTER"])
OBJECTS, CALLS = FOLDER / "objects.json", FOLDER / "calls.jsonl"


def main(arguments: list[str]) -> int:
    with CALLS.open("a") as calls:
        calls.write(json.dumps({"argv": arguments, "environment": dict(os.environ)}) + "\n")
    objects = json.loads(OBJECTS.read_text()) if OBJECTS.exists() else {}
    assert arguments.pop(0) == "--context"
    if arguments.pop(0) != "ml-dev":
        sys.stderr.write("error: context does not exist\n")
        return 1
    space = arguments.pop(1) if arguments[0] == "--namespace" else ""
    verb = arguments.pop(0 if not space else 1)
    if verb == "apply":
        import yaml  # which takes longer than all else here

        assert "--server-side" in arguments
        made = yaml.safe_load(sys.stdin)
        space = made["metadata"]["namespace"]
        assert f"namespace//{space}" in objects, f"namespace {space} is not there"
        there = objects.setdefault(f"{made['kind'].lower()}/{space}/{made['metadata']['name']}", {"data": {}})
        there["data"] |= made["data"]
        there["type"] = made.get("type", "Opaque")
    elif verb == "create":
        assert arguments[-2] == "namespace"
        objects[f"namespace//{arguments[-1]}"] = {}
    else:
        assert verb == "get"
        rest = [one for one in arguments if one != "--namespace"]
        found = objects.get(f"{rest[0]}/{space}/{rest[1]}")
        assert "--ignore-not-found" in rest
        form = rest[-1]
        if found is not None and form == "name":
            sys.stdout.write(f"{rest[0]}/{rest[1]}\n")
        elif found is not None:
            key = re.fullmatch(r'go-template={{with \.data}}{{with index \. "([^"]+)"}}{{\.}}{{end}}{{end}}', form)
            assert key, form
            sys.stdout.write(found["data"].get(key[1], ""))
    OBJECTS.write_text(json.dumps(objects))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
