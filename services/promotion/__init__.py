"""A version goes from one environment's registry to another's, with what was found of it and who decided what."""

from services.promotion.promote import Order, Promoted, PromotionError, examine, promote
from services.promotion.record import Approval, Evidence
from services.promotion.registry import Side

__all__ = ["Approval", "Evidence", "Order", "Promoted", "PromotionError", "Side", "examine", "promote"]
