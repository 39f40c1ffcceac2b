"""What belongs to the present request's app: the services, the settings, and the database session."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app
from sqlalchemy.orm import Session

from webapp.extensions import db

if TYPE_CHECKING:
    from webapp.services.container import Services
    from webapp.services.live.hub import Hub


def services() -> Services:
    """The services of the app, as `create_app` built them."""
    return cast("Services", current_app.extensions["duxos"])


def db_session() -> Session:
    """The present request's database session."""
    return db.session()


def lazy_session() -> Session:
    """The same, which begins when something is asked of it: most requests of programs ask nothing of it."""
    return cast("Session", db.session)


def live_hub() -> Hub:
    """The streams of this process, as `create_app` has put them in place."""
    return cast("Hub", current_app.extensions["duxos_live"])
