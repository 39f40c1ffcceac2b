"""The blueprint that the modules of this package put their views on, and what they share."""

from __future__ import annotations

from flask import Blueprint, url_for

from webapp.services.nodes.registry import NodeRegistry
from webapp.web.current import db_session, services

bp = Blueprint("nodes", __name__, url_prefix="/network")


def registry() -> NodeRegistry:
    """The nodes that are registered here."""
    return services().node_registry(db_session())


def show_url(node_id: str) -> str:
    """The page of one node."""
    return url_for("nodes.show", node_id=node_id)
