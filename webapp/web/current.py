"""What belongs to the present request's app: the services, the settings, and the database session."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app
from sqlalchemy.orm import Session

from webapp.extensions import db

if TYPE_CHECKING:
    from webapp.services.container import Services


def services() -> Services:
    """The services of the app, as `create_app` built them."""
    return cast("Services", current_app.extensions["duxos"])


def db_session() -> Session:
    """The present request's database session."""
    return db.session()
