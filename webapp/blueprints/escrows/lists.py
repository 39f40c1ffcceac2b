"""The list of escrows: who sees which, by what is looked for, page by page; and the whole of it to take away.

What is looked for and the place are in the address: a list can be kept as a bookmark and sent to others, who see
theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp
from webapp.blueprints.forms.lists import EscrowSearchForm
from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services import escrow_queries
from webapp.services.escrow_queries import Whose
from webapp.services.escrow_search import OPEN, EscrowSearch, Sort
from webapp.web.current import db_session
from webapp.web.exports import Row, whole_file
from webapp.web.formats import day
from webapp.web.guards import signed_in
from webapp.web.htmx import is_htmx, render
from webapp.web.language import translated
from webapp.web.parties import wallet_name
from webapp.web.states import state_look

PAGE_SIZE = 20
SHOWN_STATUSES = (
    Status.PENDING,
    Status.ACTIVE,
    Status.DELIVERED,
    Status.DISPUTED,
    Status.RELEASED,
    Status.REFUNDED,
    Status.RESOLVED,
)
SIDES = {"payer": Party.PAYER, "provider": Party.PROVIDER}
COLUMNS = (
    "id",
    "status",
    "amount",
    "provider_amount",
    "community_amount",
    "resolved_provider_amount",
    "resolved_community_amount",
    "refunded_amount",
    "plan_id",
    "part_number",
    "part_title",
    "payer_wallet_id",
    "provider_wallet_id",
    "service_name",
    "task_id",
    "funding",
    "provider_node_id",
    "result_hash",
    "refund_reason",
    "created_at",
    "expires_at",
    "accept_by",
    "delivered_at",
    "released_at",
    "refunded_at",
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for. `search` is None when the form says what is wrong with it."""

    form: EscrowSearchForm
    status: str | None
    side: str | None
    whose: Whose
    search: EscrowSearch | None

    def address(self, endpoint: str = "escrows.index", **changes: str | None) -> str:
        """The address of the same, but for the changes."""
        asked: dict[str, str | None] = {"status": self.status, "side": self.side, **self.form.sought()}
        values: dict[str, Any] = {name: value for name, value in (asked | changes).items() if value}
        return url_for(endpoint, **values)


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    """The reader's escrows; staff see everybody's."""
    asked = _asked()
    cursor = request.args.get("cursor") or None
    page = None
    if asked.search:
        page = escrow_queries.list_page(
            db_session(), asked.whose, asked.search, limit=PAGE_SIZE, cursor=cursor
        )
    next_cursor = page.next_cursor if page else None
    response = render(
        "escrows/index",
        "escrow_list",
        status=200 if page else 422,
        form=asked.form,
        kept={"status": asked.status, "side": asked.side},
        escrows=page.items if page else [],
        status_tabs=[
            (each, label, asked.address(status=each), each == asked.status) for each, label in _status_tabs()
        ],
        side_tabs=[
            (each, label, asked.address(side=each), each == asked.side) for each, label in _side_tabs()
        ],
        is_filtered=bool(asked.status or asked.side or asked.form.sought()),
        looked_for=_in_words(asked),
        everything_url=url_for("escrows.index"),
        next_url=asked.address(cursor=next_cursor) if next_cursor else None,
        first_url=asked.address() if cursor else None,
        here_url=asked.address(),
        files=[(form.upper(), asked.address("escrows.list_file", form=form)) for form in ("csv", "json")],
        wallet_name=lambda wallet_id: wallet_name(wallet_id, current_user.actor),
    )
    if is_htmx():
        # A form sends its empty fields, too; the address bar needs none of them.
        response.headers["HX-Push-Url"] = asked.address(cursor=cursor)
    return response


@bp.get("/list.<any(csv, json):form>")
@signed_in
def list_file(form: str) -> ResponseReturnValue:
    """All that is looked for, to take away."""
    asked = _asked()
    if asked.search is None:
        raise ValidationError(
            said("what is looked for cannot be understood"),
            fields={name: str(errors[0]) for name, errors in asked.form.errors.items() if name},
        )
    rows = (_row(each) for each in escrow_queries.every_escrow(db_session(), asked.whose, asked.search))
    return whole_file(form, "duxos-escrows", COLUMNS, rows)


def _row(escrow: Escrow) -> Row:
    return {name: getattr(escrow, name) for name in COLUMNS} | {
        "id": str(escrow.id),
        "plan_id": str(escrow.plan_id) if escrow.plan_id else None,
    }


def _asked() -> _Asked:
    status, side = (request.args.get(name) or None for name in ("status", "side"))
    if side not in (None, *SIDES):
        raise ValidationError.of("side", said("must be payer or provider"))
    form = EscrowSearchForm(formdata=request.args)
    # What is settled has no deadline: the order by deadline is of those that are open, unless a state is asked for.
    if form.sort.data == Sort.DEADLINE and not status:
        status = OPEN
    EscrowSearch(status)
    whose = _whose(SIDES[side] if side else None)
    form.offer(escrow_queries.latest_services(db_session(), whose))
    search = None
    if form.validate():
        try:
            search = form.search(status)
        except ValidationError as error:
            form.take_errors(error)
    return _Asked(form, status, side, whose, search)


def _in_words(asked: _Asked) -> str:
    """What is looked for, for those who find nothing."""
    form = asked.form
    words = [translated(label) for each, label in _status_tabs() if each and each == asked.status]
    words += [label for each, label in _side_tabs() if each and each == asked.side]
    words += [f"“{form.text.data}”"] if form.text.data else []
    words += [_("service %(name)s", name=form.service.data)] if form.service.data else []
    words += [_("made from %(day)s on", day=day(form.created_from.data))] if form.created_from.data else []
    words += [_("made up to %(day)s", day=day(form.created_to.data))] if form.created_to.data else []
    return ", ".join(words) or _("all, further than the last page")


def _whose(side: Party | None) -> Whose:
    if side is None and _is_staff():
        return escrow_queries.of_everybody()
    return escrow_queries.of_wallets(current_user.actor.wallet_ids, side)


def _status_tabs() -> list[tuple[str | None, str]]:
    return [
        (None, _("All")),
        (OPEN, _("Open")),
        *((status.value, state_look(status.value).label) for status in SHOWN_STATUSES),
    ]


def _side_tabs() -> list[tuple[str | None, str]]:
    everything = _("Everybody’s") if _is_staff() else _("Both sides")
    return [(None, everything), ("payer", _("I pay")), ("provider", _("I provide"))]


def _is_staff() -> bool:
    return current_user.role in (Role.OPERATOR, Role.ARBITER)
