"""Somebody in front of a page, without script: logs in, reads a page, sends one of its forms."""

from __future__ import annotations

import http.client
import re
from html import unescape
from urllib.parse import urlencode

from bench.people import PASSWORD

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Browser:
    """One browser: a connection and a cookie."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookie = ""

    def log_in(self, email: str) -> None:
        """Log in through the form."""
        fields = self.form("/login", "/login")
        self.post("/login", fields | {"email": email, "password": PASSWORD})

    def get(self, path: str) -> str:
        """A page. Raises RuntimeError for anything but a page."""
        return self._ask("GET", path, None, {200})

    def form(self, path: str, action: str) -> dict[str, str]:
        """The hidden fields of the form on a page that is sent to `action`; of the page, when no form names it."""
        page = self.get(path)
        start = max(page.find(f'action="{action}"'), 0)
        return {
            name: unescape(value) for name, value in _HIDDEN.findall(page[start:].partition("</form>")[0])
        }

    def post(self, path: str, fields: dict[str, str]) -> None:
        """Send a form. Raises RuntimeError unless it leads on to another page: then it was not accepted."""
        self._ask("POST", path, urlencode(fields), {303})

    def _ask(self, method: str, path: str, content: str | None, expected: set[int]) -> str:
        headers = {"Cookie": self.cookie} if self.cookie else {}
        if content is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        page = response.read().decode()
        for cookie in response.headers.get_all("Set-Cookie") or ():
            self.cookie = cookie.partition(";")[0]
        if response.status not in expected:
            raise RuntimeError(f"{method} {path}: {response.status}")
        return page
