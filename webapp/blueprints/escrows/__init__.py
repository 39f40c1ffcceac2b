"""Escrows in the browser: the list, a new one, and one with its timeline and what its reader may do now."""

from webapp.blueprints.escrows import creation, disputes, endings, evidence, lists, offers, page, plans, terms
from webapp.blueprints.escrows.blueprint import bp

__all__ = ["bp", "creation", "disputes", "endings", "evidence", "lists", "offers", "page", "plans", "terms"]
