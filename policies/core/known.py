"""Findings that are known already and block nothing, so that a gate can be switched on before everything is mended.

A finding is told by its policy, object and reason: another fault of the same object is a new one. An object of the same
kind and name in another file is the same; of two alike, one entry covers one.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.files import PolicyErrors, relative

FORM = 1
_HOW = "write it with --accept"
_KEYS = ("policy", "object", "finding")
_Key = tuple[str, str, str]


def accept(report: Report, path: Path) -> None:
    """Write what blocks now as known.

    Raises:
        PolicyErrors: The file cannot be written.
    """
    keys = sorted(_key(result) for result in report.results if result.blocking)
    listed = [dict(zip(_KEYS, key, strict=True)) for key in keys]
    try:
        path.write_text(json.dumps({"form": FORM, "known": listed}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PolicyErrors([f"{relative(path)}: cannot be written ({error.strerror or error})"]) from None


def let_known_pass(report: Report, path: Path) -> Report:
    """Return the report with what is known as a warning; entries that nothing matches any more are told.

    Raises:
        PolicyErrors: The file cannot be read, or is none of known findings.
    """
    left = _read(path)
    results = []
    for result in report.results:
        key = _key(result)
        if result.blocking and left[key]:
            left[key] -= 1
            when = "; ".join(filter(None, (result.when, "known already")))
            results.append(replace(result, blocking=False, when=when))
        else:
            results.append(result)
    gone = left.total()
    told = [f"{relative(path)}: {gone} of its findings are there no more; {_HOW} anew"] if gone else []
    return replace(report, results=tuple(results), warnings=(*report.warnings, *told))


def _read(path: Path) -> Counter[_Key]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        listed = {FORM: held["known"]}[held["form"]]
        return Counter((str(one["policy"]), str(one["object"]), str(one["finding"])) for one in listed)
    except FileNotFoundError:
        raise PolicyErrors([f"{relative(path)}: there is no such file; {_HOW}"]) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{relative(path)}: is no file of known findings ({type(error).__name__}); {_HOW} anew"
        raise PolicyErrors([what]) from None


def _key(result: Result) -> _Key:
    named = " ".join(result.urn.split("::")[-2:]) or result.subject
    return result.rule.id, named, result.reason
