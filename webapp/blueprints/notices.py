"""The inbox: what its reader was told, and marking it as read."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.domain.pagination import row_id
from webapp.web.guards import signed_in
from webapp.web.htmx import done, is_htmx, render
from webapp.web.live import live
from webapp.web.notice_words import words_of
from webapp.web.notices import own_inbox, unread_notices

bp = Blueprint("notices", __name__, url_prefix="/notices")

PAGE_SIZE = 20


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    """The newest first; `unread=yes` leaves out what was read."""
    return render("notices/index", "notice_list", **_context())


@bp.get("/list")
@signed_in
@live
def listed() -> ResponseReturnValue:
    """The first page again, for an open one."""
    if not is_htmx():
        return redirect(_url("notices.index"), code=303)
    return Response(render_template("partials/notice_list.html", **_context()))


@bp.get("/count")
@signed_in
@live
def count() -> ResponseReturnValue:
    """How much is unread. `seen` is the newest that the page knew of: what came after it is said aloud."""
    if not is_htmx():
        return redirect(url_for("notices.index"), code=303)
    newest = own_inbox().newest(_number("seen")) if unread_notices().count else None
    return Response(render_template("partials/notice_count.html", news=words_of(newest) if newest else None))


@bp.get("/<row:notice_id>")
@signed_in
def open_notice(notice_id: int) -> ResponseReturnValue:
    """Go to what a notice is about. Whoever goes there has read it."""
    notice = own_inbox().open(notice_id)
    return redirect(request.script_root + words_of(notice).path, code=303)


@bp.post("/<row:notice_id>/read")
@signed_in
def read(notice_id: int) -> ResponseReturnValue:
    """Mark one as read."""
    own_inbox().mark_read(notice_id)
    return _done(_("Marked as read."))


@bp.post("/read")
@signed_in
def read_all() -> ResponseReturnValue:
    """Mark everything as read that was there when the page was drawn."""
    own_inbox().mark_all_read(_number("up_to"))
    return _done(_("Everything is marked as read."))


def _done(message: str) -> Response:
    return done(_url("notices.index"), "notice_list", message=message, **_context())


def _number(name: str) -> int:
    """A number of a notice that the page sent; 0 for what is none."""
    try:
        return row_id(request.values.get(name, ""))
    except ValueError:
        return 0


def _only_unread() -> bool:
    return request.args.get("unread") == "yes"


def _url(endpoint: str, **values: Any) -> str:
    return url_for(endpoint, unread="yes" if _only_unread() else None, **values)


def _context() -> dict[str, Any]:
    cursor = request.args.get("cursor") if request.method == "GET" else None
    page = own_inbox().page(only_unread=_only_unread(), cursor=cursor, limit=PAGE_SIZE)
    is_unread = _only_unread()
    return {
        "notices": [(notice, words_of(notice)) for notice in page.items],
        "filters": [
            (_("All"), url_for("notices.index"), not is_unread),
            (_("Unread"), url_for("notices.index", unread="yes"), is_unread),
        ],
        "only_unread": is_unread,
        "newest": page.items[0].id if page.items else 0,
        "list_url": None if cursor else _url("notices.listed"),
        "next_url": _url("notices.index", cursor=page.next_cursor) if page.next_cursor else None,
        "first_url": _url("notices.index") if cursor else None,
    }
