"""The web plumbing that every page stands on: sessions, guards, headers, errors, filters, static files."""

from __future__ import annotations

from flask import Flask

from webapp.web import (
    converters,
    errors,
    filters,
    guards,
    headers,
    htmx,
    language,
    navigation,
    notices,
    sessions,
    static_files,
)


def init_web(app: Flask) -> None:
    """Tie the plumbing to an app. Call it after the limiter's `init_app`: a flood is counted before it is judged."""
    converters.init_converters(app)
    static_files.init_static_files(app)
    sessions.init_sessions(app)
    language.init_language(app)
    filters.init_filters(app)
    htmx.init_htmx(app)
    navigation.init_navigation(app)
    guards.init_guards(app)
    notices.init_notices(app)
    errors.init_errors(app)
    headers.init_headers(app)
