"""A version goes from one environment's registry to another's, with what was found of it and who decided what."""

from mlstrata.operations.promotion.promote import Order, Promoted, PromotionError, Side, examine, promote
from mlstrata.operations.promotion.record import Approval, Evidence

__all__ = ["Approval", "Evidence", "Order", "Promoted", "PromotionError", "Side", "examine", "promote"]
