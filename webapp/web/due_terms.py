"""Whoever comes after an escrow's own terms have decided is refused, and finds done what they decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from webapp.domain.exceptions import TermsDecidedError
from webapp.domain.roles import WORKER
from webapp.models import Escrow
from webapp.web.current import db_session, services


@contextmanager
def settling_what_is_due() -> Iterator[None]:
    """Around a unit of work. Refused for that, it is undone by then, and what is due is done in its place."""
    try:
        yield
    except TermsDecidedError as error:
        services().escrow_manager(db_session(), WORKER).terms.settle_due(error.escrow_id)
        error.current_status = db_session().get_one(Escrow, error.escrow_id).status
        raise
