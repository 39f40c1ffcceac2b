"""Logs: one event per line on standard error, readable on a terminal, JSON elsewhere. Never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure_logs() -> None:
    """Send every log line to standard error: standard output belongs to the commands' answers."""
    is_terminal = sys.stderr.isatty()
    # Tracebacks never show local variables: they may be secrets.
    last: Any = structlog.processors.JSONRenderer()
    if is_terminal:
        last = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not is_terminal:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
        processors.append(structlog.processors.ExceptionRenderer(frames))
    structlog.configure(
        processors=[*processors, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_StandardError(),
        cache_logger_on_first_use=False,
    )


class _StandardError:
    """Looks up sys.stderr at every line, since a program or a test may exchange it."""

    def __call__(self, *_: Any) -> structlog.PrintLogger:
        return structlog.PrintLogger(sys.stderr)
