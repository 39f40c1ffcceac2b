"""The site map: every blueprint, and where it lives."""

from __future__ import annotations

from flask import Flask

from webapp.blueprints import account, auth

PAGES = (
    auth.bp,  # /login  /register  /logout
    account.bp,  # /account: payout address, signing keys, sessions, password
)


def register_blueprints(app: Flask) -> None:
    """Put the pages in their places."""
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
