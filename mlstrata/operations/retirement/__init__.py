"""Whether a system is still worth having, and how it goes: review, archive, the last answer."""

from mlstrata.operations.retirement.decide import Kept, Retired, keep, retire
from mlstrata.operations.retirement.review import Review, review

__all__ = ["Kept", "Retired", "Review", "keep", "retire", "review"]
