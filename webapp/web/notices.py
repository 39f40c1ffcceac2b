"""The inbox around every page: how much is unread, and that whoever opens a thing has read what was told of it."""

from __future__ import annotations

from flask import Flask, g, request
from flask_login import current_user

from webapp.domain.notices import Subject
from webapp.services.notices.inbox import COUNTED, Inbox, Unread
from webapp.web.current import db_session
from webapp.web.htmx import is_htmx

# The pages that show one thing: what it is, and which part of the address says which one.
_SHOWS = {
    "escrows.show": (Subject.ESCROW, "escrow_id"),
    "wallets.payout": (Subject.PAYOUT, "payout_id"),
    "fund.airdrop": (Subject.AIRDROP, "airdrop_id"),
    "operations.show": (Subject.OPERATIONS, None),
    "wallets.show": (Subject.WALLET, None),
}


def own_inbox() -> Inbox:
    """The inbox of whoever is logged in."""
    return Inbox(db_session(), current_user.id)


def unread_notices() -> Unread:
    """How much the present reader has not read; asked once for a page."""
    if not current_user.is_authenticated:
        return Unread(0, 0)
    if "unread_notices" not in g:
        g.unread_notices = own_inbox().unread()
    found: Unread = g.unread_notices
    return found


def unread_words(count: int) -> str:
    """The number as it is written: `3`, or `99+`."""
    return f"{COUNTED}+" if count > COUNTED else str(count)


def _read_what_is_shown() -> None:
    """Looking at a thing is reading about it. What a page asks by itself is nobody's look."""
    shown = _SHOWS.get(request.endpoint or "")
    is_look = request.method == "GET" and not is_htmx() and "Sec-Purpose" not in request.headers
    if shown is None or not is_look or not current_user.is_authenticated:
        return
    subject, name = shown
    for subject_id in _ids(subject, name):
        own_inbox().mark_subject_read(subject, subject_id)


def _ids(subject: Subject, name: str | None) -> list[str]:
    if name is not None:
        return [str((request.view_args or {})[name])]
    if subject is Subject.WALLET:
        own = sorted(current_user.actor.wallet_ids)[:1]
        return [request.args.get("wallet") or str(number) for number in own]
    return [""]


def init_notices(app: Flask) -> None:
    """Give templates the count, and note what is read. Call it after the guards: only what one may see is read."""
    app.before_request(_read_what_is_shown)
    app.jinja_env.globals.update(unread_notices=unread_notices, unread_words=unread_words)
