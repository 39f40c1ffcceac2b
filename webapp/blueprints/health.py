"""For supervisors and load balancers: does the process live, and should it get requests."""

from __future__ import annotations

from functools import cache

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from webapp import schema
from webapp.extensions import limiter
from webapp.services.health import check_health
from webapp.web.current import db_session, services
from webapp.web.guards import public

bp = Blueprint("health", __name__, url_prefix="/health")


@bp.get("/live")
@limiter.exempt
@public
def live() -> ResponseReturnValue:
    """200 as long as the process answers at all; asks nothing of anybody."""
    return jsonify(status="ok")


@bp.get("/ready")
@public
def ready() -> ResponseReturnValue:
    """200 when `status` is `ok` or `degraded`, 503 when it is `failing`; `checks` says why."""
    health = check_health(db_session(), services().daemon, _newest_revision())
    return jsonify(health.as_dict()), 200 if health.is_ready else 503


@cache
def _newest_revision() -> str | None:
    """Read once: the code does not change while it runs."""
    return schema.newest_revision()
