"""The folder of a dossier: all documents, and a manifest of their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlstrata.evidence import html, pdf, svg
from mlstrata.evidence.annex_iv import annex_iv
from mlstrata.evidence.bom import bill
from mlstrata.evidence.cover import cover
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.templates import decision_log, fria, instructions, registration, registration_document

MANIFEST = "MANIFEST.sha256"


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: Names of the files, the manifest last.
        missing: Document to its sections and what each lacks; empty where all is complete.
    """

    files: tuple[str, ...]
    missing: Mapping[str, Mapping[str, tuple[str, ...]]]

    @property
    def complete(self) -> bool:
        """Return whether no document lacks anything."""
        return not self.missing


def write(evidence: Evidence, folder: Path) -> Written:
    """Write the dossier into `folder`; the same evidence gives the same bytes.

    Raises:
        OSError: the folder cannot be written to.
    """
    documents = (annex_iv(evidence), registration_document(evidence), fria(evidence), instructions(evidence),
                 decision_log(evidence))  # fmt: skip
    files: dict[str, bytes] = {
        "registration.json": _json(registration(evidence)),
        "ml-bom.cdx.json": _json(bill(evidence)),
        "decisions.json": _json(
            [{**asdict(one), "when": one.when.isoformat()} for one in evidence.decisions]
            if evidence.decisions is not None
            else None
        ),
    }
    for document in documents:
        files[f"{document.name}.html"] = html.render(document).encode()
        files[f"{document.name}.pdf"] = pdf.render(document)
        files |= {f"plots/{plot.name}.svg": svg.render(plot).encode() for plot in document.figures}
    files["index.html"] = cover(evidence, documents, files).encode()
    hashes = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files[MANIFEST] = "".join(hashes).encode()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    missing = {
        document.name: {s.title: tuple(need.what for need in s.missing) for s in document.sections if s.missing}
        for document in documents
        if not document.complete
    }
    return Written(tuple(files), missing)


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()
