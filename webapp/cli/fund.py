"""`flask fund`: how the community fund stands, and airdrops by hand at a terminal. Its rules have their own module."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.services.community_fund_manager import CommunityFundManager
from webapp.web.current import services

fund_commands = DuxosGroup("fund", help="The community fund: its figures, its rules, and airdrops by hand.")

# `flask fund rules` shows them.
_RULES = ("rules", "pending_rule_changes")


@fund_commands.command("status")
@json_option
def show_status(as_json: bool) -> None:
    """Show what the fund holds, collected and gave, and how far it is from the next airdrop."""
    figures = _fund().get_fund_statistics()
    shown = {name: _told(value) for name, value in figures.items() if name not in _RULES}
    emit(shown, as_json=as_json)


@fund_commands.command("airdrop")
@click.option(
    "--node", "node_ids", multiple=True, required=True, help="A node that gets something; repeatable."
)
@click.option("--amount-per-node", help="FLOP for each.")
@click.option("--total", help="FLOP for all together, in equal parts.")
@click.option("--reason", default="", help="Why, for whoever may see the fund.")
@click.option("--dry-run", is_flag=True, help="Only show what would be given.")
@json_option
def give_airdrop(
    node_ids: tuple[str, ...],
    amount_per_node: str | None,
    total: str | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give nodes of the fund: all of them, or none."""
    given = _fund().manual_airdrop(
        node_ids, amount_per_node, total_amount=total, reason=reason, dry_run=dry_run, actor=AT_TERMINAL
    )
    lines = given["airdrops"] if as_json else [_line(each) for each in given["airdrops"]]
    emit(given | {"airdrops": lines}, as_json=as_json)


def _fund() -> CommunityFundManager:
    return services().fund_manager(db.session())


def _told(value: Any) -> Any:
    return to_rfc3339(value) if isinstance(value, datetime) else value


def _line(share: dict[str, Any]) -> str:
    to = share["address"] or "the balance"
    note = f" ({share['reason']})" if share["reason"] else ""
    return f"{share['node_id']} {share['amount']} FLOP to {to}: {share['status']}{note}"
