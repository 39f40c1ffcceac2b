"""The blueprint that the modules of this package put their views on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("fund", __name__, url_prefix="/fund")
