"""The blueprint that the modules of this package put their views on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("operations", __name__, url_prefix="/operations")
