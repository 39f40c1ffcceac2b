"""A visitor without script: keeps cookies, reads the CSRF token off the pages, sends plain forms or HTMX requests."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery"

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """One browser with its own cookies. `email` is who is logged in."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.email = ""

    def get(self, path: str, *, htmx: bool = False, **options: Any) -> TestResponse:
        """A page, or with `htmx` what HTMX gets."""
        return self.client.get(path, headers=_headers(htmx), **options)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, htmx: bool = False, token: str | None = None
    ) -> TestResponse:
        """Send a form with a CSRF token that belongs to this browser."""
        fields = {"csrf_token": self.token() if token is None else token, **(data or {})}
        return self.client.post(path, data=fields, headers=_headers(htmx))

    def token(self) -> str:
        """A CSRF token, as any page that this browser may see carries it."""
        page = self.client.get("/account" if self.email else "/login")
        found = _TOKEN.search(page.text)
        assert found, f"{page.status} without a CSRF token"
        return found.group(1)

    def register(self, email: str, role: str = "payer", password: str = PASSWORD) -> TestResponse:
        """Make an account through the form; it is logged in then."""
        data = {"email": email, "password": password, "repeated": password, "role": role}
        response = self.post("/register", data)
        if response.status_code == 303:
            self.email = email
        return response

    def log_in(self, email: str, password: str = PASSWORD, target: str = "") -> TestResponse:
        """Log in through the form."""
        response = self.post("/login", {"email": email, "password": password, "next": target})
        if response.status_code == 303:
            self.email = email
        return response

    def log_out(self) -> TestResponse:
        """Log out through the form."""
        response = self.post("/logout")
        self.email = ""
        return response


def _headers(htmx: bool) -> dict[str, str]:
    return {"HX-Request": "true"} if htmx else {}
