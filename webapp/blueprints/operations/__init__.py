"""Operations, for operators alone: the state of the service, its switches, and single payouts."""

from webapp.blueprints.operations import metrics, page, payouts, style
from webapp.blueprints.operations.blueprint import bp

__all__ = ["bp", "metrics", "page", "payouts", "style"]
