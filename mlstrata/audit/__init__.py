"""The audit log of an environment: who decided what, when and why, in a chain that shows what was changed later."""

from mlstrata.audit.entry import Entry, Metrics, Outcome, fitted, plain_text
from mlstrata.audit.log import Appended, AuditLog, Record, read
from mlstrata.audit.verify import Verification, verify

__all__ = [
    "Appended",
    "AuditLog",
    "Entry",
    "Metrics",
    "Outcome",
    "Record",
    "Verification",
    "fitted",
    "plain_text",
    "read",
    "verify",
]
