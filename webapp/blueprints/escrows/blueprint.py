"""The blueprint that the modules of this package put their views on, and what they share."""

from __future__ import annotations

import uuid

from flask import Blueprint, url_for
from flask_login import current_user

from webapp.services.escrow_manager import EscrowManager
from webapp.web.current import db_session, services

bp = Blueprint("escrows", __name__, url_prefix="/escrows")


def manager() -> EscrowManager:
    """Escrows as whoever is logged in."""
    return services().escrow_manager(db_session(), current_user.actor)


def show_url(escrow_id: uuid.UUID) -> str:
    """The page of one escrow."""
    return url_for("escrows.show", escrow_id=escrow_id)
