"""`flask reputation`: what a node's work came to, and counting it again."""

from __future__ import annotations

import click

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import ZERO
from webapp.extensions import db
from webapp.services.nodes import reputation, tallies
from webapp.web.current import services

OUTCOMES = ("released", "refunded", "late", "disputes_lost")

reputation_commands = DuxosGroup("reputation", help="What is known of nodes by their settled work.")


@reputation_commands.command("show")
@click.argument("node_id")
@json_option
def show(node_id: str, as_json: bool) -> None:
    """A node's reputation, as tallied and from the journal itself, and the outcomes that it is made of."""
    session, settings = db.session(), services().settings
    tallied = reputation.of_nodes(session, settings, [node_id]).get(node_id)
    if tallied is None:
        raise NotFoundError(f"there is no node {node_id}")
    days = reputation.counted_days(session, settings, node_id)
    released = sum((day.released_amount for day in days), start=ZERO)
    values = {
        "node_id": node_id,
        "reputation": tallied,
        "from_the_journal": reputation.recount(session, settings, node_id),
        "released_amount": str(released),
        **{name: sum(getattr(day, name) for day in days) for name in OUTCOMES},
    }
    emit(values, as_json=as_json)


@reputation_commands.command("recount")
@click.option(
    "--all", "is_all", is_flag=True, help="From the first outcome on, even what weighs nothing any more."
)
@json_option
def recount(is_all: bool, as_json: bool) -> None:
    """Count the days again that reputations are made of, as after a change of nodes.counted_from_amount."""
    session, settings = db.session(), services().settings
    since = tallies.first_day(session, settings, is_all=is_all)
    emit({"since": since, "changed": tallies.tally_since(session, settings, since)}, as_json=as_json)
