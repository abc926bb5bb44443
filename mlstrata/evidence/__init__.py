"""Evidence about a declared AI system: documents of the AI Act drafted from what is known, never complete by claim."""

from mlstrata.evidence.facts import Decision, DocumentFile, Evidence, Finding, ModelVersion, Package, Part
from mlstrata.evidence.language import Language
from mlstrata.evidence.write import Written, write

__all__ = [
    "Decision",
    "DocumentFile",
    "Evidence",
    "Finding",
    "Language",
    "ModelVersion",
    "Package",
    "Part",
    "Written",
    "write",
]
