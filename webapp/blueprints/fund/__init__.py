"""The community fund in the browser: its figures, its airdrops, its rules, and all of it to take away."""

from webapp.blueprints.fund import airdrops, exports, manual, page, rules
from webapp.blueprints.fund.blueprint import bp

__all__ = ["airdrops", "bp", "exports", "manual", "page", "rules"]
