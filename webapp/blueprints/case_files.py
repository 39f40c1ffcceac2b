"""How case files are checked, and with which keys they were signed: for everybody."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from webapp.domain.clock import to_rfc3339
from webapp.models import CaseFileKey
from webapp.web.current import db_session, services
from webapp.web.guards import public
from webapp.web.htmx import render

bp = Blueprint("case_files", __name__, url_prefix="/case-files")


@bp.get("")
@public
def index() -> ResponseReturnValue:
    """What a case file is, how to check one, and the keys."""
    return render("case_files/index", keys=_keys())


@bp.get("/keys.json")
@public
def keys() -> Response:
    """The keys for programs: the one that signs now is the first."""
    return jsonify(
        keys=[
            {"algorithm": "ed25519", "public_key": key.public_key, "since": to_rfc3339(key.created_at)}
            for key in _keys()
        ]
    )


def _keys() -> list[CaseFileKey]:
    return services().case_file_keys(db_session()).published()
