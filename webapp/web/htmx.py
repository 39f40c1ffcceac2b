"""One view does the work once, then answers a partial to HTMX, and a page or a redirect to a plain form.

`render` shows, `done` answers a change that succeeded. Names are without folder and suffix: page `escrows/show` is
`pages/escrows/show.html`; partial `escrow_status` is `partials/escrow_status.html`, whose outermost element has the
id `escrow-status`. Flashed messages ride along with a partial into the page's live region.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask import (
    Flask,
    Response,
    flash,
    get_flashed_messages,
    make_response,
    redirect,
    render_template,
    request,
)

from webapp.web.language import translated

# 422 and 409 bring a fresh partial. Other refusals speak in the live region. A 5xx replaces nothing: site.js says so.
CONFIG = json.dumps(
    {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "allowScriptTags": False,
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "timeout": 20000,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "422|409", "swap": True, "error": False},
            {"code": "4..", "swap": True, "error": True, "target": "#messages", "swapOverride": "innerHTML"},
            {"code": "5..", "swap": False, "error": True},
        ],
    }
)


def is_htmx() -> bool:
    """Whether HTMX asks for a partial. Going back in the history asks for the whole page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def render(page: str, partial: str | None = None, *, status: int = 200, **context: Any) -> Response:
    """The page, or to HTMX the partial when there is one. `status` 422 redraws a form, 409 shows the fresh state."""
    if partial and is_htmx():
        return _partial(partial, status, context)
    return make_response(render_template(f"pages/{page}.html", **context), status)


def done(
    location: str,
    partial: str | None = None,
    *,
    message: str | None = None,
    category: str = "success",
    **context: Any,
) -> Response:
    """After a change: to a plain form 303 to `location`; to HTMX the fresh partial, or without one the same move.

    `message` is a sentence on what was done; it is shown either way.
    """
    if message:
        flash(translated(message), category)
    if not is_htmx():
        return make_response(redirect(location, code=303))
    if partial:
        return _partial(partial, 200, context)
    return Response(status=204, headers={"HX-Redirect": location})


def _partial(name: str, status: int, context: dict[str, Any]) -> Response:
    body = render_template(f"partials/{name}.html", **context)
    # What somebody did replaces what was said before; a piece that only refreshes itself leaves it standing.
    if request.method != "GET" or get_flashed_messages():
        body += render_template("partials/messages.html", out_of_band=True)
    return make_response(body, status)


def in_place_of(partial: str, response: Response) -> Response:
    """Have HTMX put this answer in the place of `partial`, whatever it had asked for."""
    response.headers["HX-Retarget"] = f"#{element_id(partial)}"
    response.headers["HX-Reswap"] = "outerHTML"
    return response


def element_id(partial: str) -> str:
    """The id of a partial's outermost element: `escrow_status` is `escrow-status`."""
    return partial.replace("_", "-")


def new_idempotency_key() -> str:
    """A key for one drawn button: pressed twice, it counts once."""
    return uuid.uuid4().hex


def init_htmx(app: Flask) -> None:
    """Give templates what the action macros need."""
    app.jinja_env.globals.update(htmx_config=CONFIG, new_idempotency_key=new_idempotency_key)
    app.jinja_env.filters["element_id"] = element_id
