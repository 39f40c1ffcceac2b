"""`/metrics`: the operators' figures for a Prometheus server."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.exceptions import AuthenticationError
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.services import metrics
from webapp.web.current import db_session, services
from webapp.web.guards import public

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
@public
def show() -> ResponseReturnValue:
    """For whoever bears `security.metrics_token`, and for operators who are logged in; nobody else."""
    if not (_has_token() or _is_operator()):
        raise AuthenticationError(said("This needs security.metrics_token as a bearer, or an operator."))
    return Response(metrics.exposition(db_session(), services().settings), content_type=metrics.CONTENT_TYPE)


def _has_token() -> bool:
    token = services().settings.security.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())


def _is_operator() -> bool:
    return bool(current_user.is_authenticated) and current_user.role == Role.OPERATOR
