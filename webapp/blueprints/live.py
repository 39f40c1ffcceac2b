"""`/live`: the one stream of an open page. It names what has changed; the page asks for it through its own views."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webapp.services.live.changes import Audience
from webapp.services.live.subscription import Subscription
from webapp.services.wallet_ownership import actor_of_person
from webapp.web.current import db_session, live_hub, services
from webapp.web.guards import signed_in
from webapp.web.live import live

bp = Blueprint("live", __name__)

LIFETIME_SECONDS = 300
RETRY_MS = 1000
CROWDED_RETRY_MS = 30_000
LONGEST_NAME = 64


@bp.get("/live")
@signed_in
@live
def stream() -> ResponseReturnValue:
    """Server-sent events for whoever is logged in, or 204 when there is no room: the page asks every few seconds then.

    `page` names the open page, `left` the one that its reader came from in the same tab. `Last-Event-ID`, or `after`,
    is where an earlier stream was interrupted.
    """
    hub, app = live_hub(), cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]
    token = current_user.get_id()
    subscription = hub.subscribe(
        Audience.of(current_user.id, current_user.actor),
        request.args.get("page", "")[:LONGEST_NAME],
        request.args.get("left", "")[:LONGEST_NAME],
        request.headers.get("Last-Event-ID") or request.args.get("after", ""),
    )
    if subscription is None:
        return Response(status=204)
    body = _events(subscription, lambda: _audience(app, token), services().settings.live.heartbeat_seconds)
    response = Response(body, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    response.call_on_close(lambda: hub.unsubscribe(subscription))
    return response


def _audience(app: Flask, token: str) -> Audience | None:
    """Who listens now; None when the session has ended. Looking is no use of the session."""
    try:
        with app.app_context():
            row = services().sessions(db_session()).find(token, is_used=False)
            return None if row is None else Audience.of(row.user_id, actor_of_person(db_session(), row.user))
    except (DBAPIError, PoolTimeoutError):
        return None  # The page comes again, and is answered when the database is there.


def _events(
    subscription: Subscription, look: Callable[[], Audience | None], heartbeat_seconds: float
) -> Iterator[str]:
    """The text of the stream. It holds neither a transaction nor a connection while it waits."""
    yield f"retry: {RETRY_MS}\n\n"
    ends_at = time.monotonic() + LIFETIME_SECONDS
    next_beat = time.monotonic() + heartbeat_seconds
    while not subscription.is_closed and time.monotonic() < ends_at:
        news = subscription.wait(max(0.0, min(next_beat, ends_at) - time.monotonic()))
        for event in news:
            yield f"id: {event.id}\nevent: {event.topic}\ndata: changed\n\n"
        # Lists follow whatever their reader may hear of: they are told once that one of a kind has changed.
        for kind in sorted({event.kind for event in news} - {""}):
            yield f"event: {kind}\ndata: changed\n\n"
        if time.monotonic() >= next_beat:
            audience = look()
            if audience is None:
                return
            subscription.audience = audience
            yield ":\n\n"
            next_beat = time.monotonic() + heartbeat_seconds
    if subscription.is_closed:
        yield f"retry: {CROWDED_RETRY_MS}\n\n"  # Another one has its place: coming back at once would take it back.
