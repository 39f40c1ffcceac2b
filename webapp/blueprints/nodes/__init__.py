"""Nodes in the browser: all of them, a new one, and one with its health, its reputation and what may be done to it."""

from webapp.blueprints.nodes import lists, page, registration, staff
from webapp.blueprints.nodes.blueprint import bp

__all__ = ["bp", "lists", "page", "registration", "staff"]
