"""The fund in the words of its pages: what it waits for, which rules hold and why, and what is about to change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup, escape

from webapp.domain.clock import utcnow
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import Amount, split
from webapp.domain.said import said
from webapp.models import FundRuleChange
from webapp.web.current import services
from webapp.web.filters import moment
from webapp.web.formats import duration, money, number, percent
from webapp.web.language import recalled


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule with its value in words, and what it is for."""

    key: str
    label: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One rule that changes, with both values in words."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change of rules. `state` is `pending`, `withdrawn` or `in_force`; who decided it is for operators only."""

    id: int
    state: str
    lines: tuple[ChangeLine, ...]
    reason: str
    decided_at: datetime
    decided_by: str
    effective_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


_WORDS: dict[str, tuple[str, str]] = {
    "airdrop_threshold": (
        said("Threshold"),
        said(
            "The fund is given back when it holds at least this much, so that the shares are "
            "worth the network fees."
        ),
    ),
    "airdrop_interval_hours": (
        said("Time between airdrops"),
        said("From one automatic airdrop to the next passes at least this time."),
    ),
    "airdrop_shares": (said("Shares"), said("How the fund is divided among the nodes that take part.")),
    "min_airdrop_amount": (
        said("Least share"),
        said(
            "Nobody gets less: a smaller one would be used up by fees. When there are too many "
            "nodes for it, the last in the order get nothing."
        ),
    ),
    "max_airdrop_nodes": (said("Most nodes"), said("So many nodes get a share in one airdrop at the most.")),
    "max_nodes_per_owner": (
        said("Nodes of one owner"),
        said(
            "So many nodes of one owner get a share at the most. More machines under one name earn no more."
        ),
    ),
    "waiting_period_hours": (
        said("Waiting period"),
        said("A node must have been registered for so long. Whoever is thrown out cannot come back at once."),
    ),
    "min_settled_escrows": (
        said("Work: escrows"),
        said(
            "So many escrows of others must have been released for the node’s work. Being online "
            "costs nothing, so it counts for nothing by itself."
        ),
    ),
    "min_settled_amount": (
        said("Work: amount"),
        said(
            "So much must these escrows have held together. Paying oneself costs the fund’s part each time."
        ),
    ),
    "settled_within_days": (said("Work: how recent"), said("Older work does not count.")),
}
_SHARES = {"equal": said("the same for every node"), "reputation": said("in proportion to reputation")}


def is_fund_public() -> bool:
    """Whether anybody may read about the fund: its pages, files and JSON."""
    return services().settings.community_fund.is_public


def rule_lines(rules: FundRules) -> list[RuleLine]:
    """The rules one by one."""
    return [
        RuleLine(key, label, rule_value(key, getattr(rules, key)), why)
        for key, (label, why) in _WORDS.items()
    ]


def rule_label(key: str) -> str:
    """What a rule is called on pages."""
    return _WORDS[key][0]


def rule_value(key: str, value: Any) -> str:
    """A rule's value in words, from the rules themselves or from a document, where amounts are text."""
    if key == "airdrop_shares":
        return _SHARES[value]
    if key.endswith(("_amount", "_threshold")):
        return money(value if isinstance(value, Amount) else Amount.parse(value, allow_zero=True))
    if key.endswith("_hours"):
        return duration(value) if value else _("none")
    return duration(24 * value) if key.endswith("_days") else number(value)


def change_lines(changes: dict[str, dict[str, Any]]) -> tuple[ChangeLine, ...]:
    """What changes, rule by rule, in the order of the rules' list."""
    return tuple(
        ChangeLine(rule_label(key), rule_value(key, each["old"]), rule_value(key, each["new"]))
        for key, each in sorted(changes.items(), key=lambda item: list(_WORDS).index(item[0]))
    )


def change_view(change: FundRuleChange) -> ChangeView:
    """A change as it stands now."""
    state = "in_force" if change.effective_at <= utcnow() else "pending"
    return ChangeView(
        id=change.id,
        state="withdrawn" if change.withdrawn_at else state,
        lines=change_lines(change.changes),
        reason=change.reason,
        decided_at=change.decided_at,
        decided_by=change.decided_by,
        effective_at=change.effective_at,
        withdrawn_at=change.withdrawn_at,
        withdrawn_by=change.withdrawn_by,
    )


def waits_for(fund: dict[str, Any]) -> Markup:
    """What the next airdrop waits for, as one sentence; `fund` are the fund\u2019s statistics."""
    next_at = fund["next_airdrop_at"]
    is_early = next_at is not None and next_at > utcnow()
    if fund["is_airdrop_under_way"]:
        return escape(
            _("An airdrop is under way: its snapshot is taken, and the shares are about to be given.")
        )
    if fund["is_airdrop_due"]:
        if fund["blocked_reason"]:
            reason = recalled(fund["blocked_reason"]).rstrip(".")
            return escape(_("It is due, and waits: %(reason)s.", reason=reason))
        return escape(_("It is due: the service gives it with its next round."))
    if not fund["next_airdrop_trigger"]:
        return escape(_("The threshold is reached. It waits until %(moment)s.")) % {"moment": moment(next_at)}
    missing = money(fund["next_airdrop_trigger"])
    if is_early:
        words = escape(_("%(amount)s more, and it is given back, but not before %(moment)s."))
        return words % {"amount": missing, "moment": moment(next_at)}
    return escape(_("%(amount)s more, and it is given back.", amount=missing))


def how_it_works(rules: FundRules) -> dict[str, Any]:
    """What the explaining parts of the pages are filled with."""
    settings = services().settings
    basis_points = settings.escrow.fund_basis_points
    return {
        "fund_share": percent(basis_points),
        "example": split(Amount.parse(100), basis_points),
        "rules": rules,
        "rule_lines": rule_lines(rules),
        "work_is_asked": bool(rules.min_settled_escrows or rules.min_settled_amount),
        "cost_of_faking": split(rules.min_settled_amount, basis_points)[1],
        "offline_after_minutes": -(-settings.nodes.offline_after_seconds // 60),
        "has_directory": bool(settings.nodes.directory_url),
        "counted_from": settings.nodes.counted_from_amount,
        "notice_time": duration(settings.community_fund.rule_notice_hours),
        "pays_fees": settings.wallet.fee_paid_by == "fund",
    }
