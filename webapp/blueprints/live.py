"""`/live`: the one stream of an open page. It names what has changed; the page asks for it through its own views."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.services.live.changes import Audience
from webapp.services.live.subscription import Subscription
from webapp.web.current import live_hub, services
from webapp.web.guards import signed_in
from webapp.web.live import live

bp = Blueprint("live", __name__)

LIFETIME_SECONDS = 300
RETRY_MS = 1000
# A page draws anything anew once a second at most (live.js), so it may as well hear of more than one thing at a time.
REST_SECONDS = 0.5
CROWDED_RETRY_MS = 30_000
LONGEST_NAME = 64


@bp.get("/live")
@signed_in
@live
def stream() -> ResponseReturnValue:
    """Server-sent events for whoever is logged in, or 204 when there is no room: the page asks every few seconds then.

    `page` names the open page, `left` the one that its reader came from in the same tab. `shows` names what of that
    which concerns everybody the page shows (`fund`): others need not hear of it. `Last-Event-ID`, or `after`, is where
    an earlier stream was interrupted.
    """
    hub = live_hub()
    subscription = Subscription(
        Audience.of(current_user.id, current_user.actor),
        request.args.get("page", "")[:LONGEST_NAME],
        request.args.get("shows", "")[:LONGEST_NAME].split(),
        current_user.get_id(),
    )
    left = request.args.get("left", "")[:LONGEST_NAME]
    if not hub.subscribe(
        subscription, left, request.headers.get("Last-Event-ID") or request.args.get("after", "")
    ):
        return Response(status=204)
    body = _events(subscription, services().settings.live.heartbeat_seconds)
    response = Response(body, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    response.call_on_close(lambda: hub.unsubscribe(subscription))
    return response


def _events(subscription: Subscription, heartbeat_seconds: float) -> Iterator[str]:
    """The text of the stream, until the hub or its time ends it. It asks the database nothing."""
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
            yield ":\n\n"
            next_beat = time.monotonic() + heartbeat_seconds
        elif news:
            subscription.rest(REST_SECONDS)
    if subscription.is_closed:
        yield f"retry: {CROWDED_RETRY_MS}\n\n"  # Another one has its place: coming back at once would take it back.
