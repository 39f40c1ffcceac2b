"""Which rules hold for the community fund: those of the settings, with every change that has taken effect.

A change is decided by an operator and takes effect after a notice; until then it can be read, and withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.accounts import FUND
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.exceptions import ConflictError, NotFoundError, ValidationError
from webapp.domain.fund_rules import FundRules
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import FundRuleChange
from webapp.models.compare_and_set import changes_one_row
from webapp.services import operator_actions
from webapp.services.unit_of_work import unit_of_work

WAITING_PERIOD_HOURS = 24
# What the record of operators' actions calls the rules.
SUBJECT = "fund_rules"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a change would do: each key of the rules with its "old" and "new" value, why, and from when on."""

    changes: dict[str, dict[str, str | int]]
    reason: str
    effective_at: datetime


def configured(settings: Settings) -> FundRules:
    """The rules that the settings begin with."""
    fund = settings.community_fund
    values = {name: getattr(fund, name) for name in FundRules.__slots__}
    if fund.waiting_period_hours is None:
        values["waiting_period_hours"] = 0 if settings.wallet.network == "regtest" else WAITING_PERIOD_HOURS
    return FundRules(**values)


def in_force(session: Session, settings: Settings, at: datetime | None = None) -> FundRules:
    """The rules at a moment: now, if none is named."""
    rules = configured(settings)
    changes = session.scalars(
        select(FundRuleChange)
        .where(FundRuleChange.withdrawn_at.is_(None), FundRuleChange.effective_at <= (at or utcnow()))
        .order_by(FundRuleChange.effective_at, FundRuleChange.id)
    )
    for change in changes:
        rules = rules.changed({name: values["new"] for name, values in change.changes.items()})
    return rules


def pending(session: Session) -> list[FundRuleChange]:
    """The changes that have not taken effect yet, the next one first."""
    return list(
        session.scalars(
            select(FundRuleChange)
            .where(FundRuleChange.withdrawn_at.is_(None), FundRuleChange.effective_at > utcnow())
            .order_by(FundRuleChange.effective_at, FundRuleChange.id)
        )
    )


def list_changes(
    session: Session, *, limit: int | None = None, cursor: str | None = None
) -> Page[FundRuleChange]:
    """Every change that was ever decided, the newest first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, row_id)
    statement = select(FundRuleChange).order_by(FundRuleChange.id.desc()).limit(size + 1)
    if after is not None:
        statement = statement.where(FundRuleChange.id < after)
    return Page.of(list(session.scalars(statement)), size, lambda change: change.id)


def preview(session: Session, settings: Settings, values: Mapping[str, Any], reason: str) -> Proposal:
    """What would change, and when. Raises ValidationError naming every wrong key, or saying that nothing would change.

    A key that is about to change already can be changed again only when that has happened, or was withdrawn.
    """
    now = in_force(session, settings)
    complaints: dict[str, str] = {}
    try:
        reason = checked_reason(reason)
    except ValidationError as error:
        complaints |= error.fields
    try:
        wanted = now.changed(values)
    except ValidationError as error:
        complaints |= error.fields
        wanted = now.changed({key: value for key, value in values.items() if key not in error.fields})
    before, after = now.as_document(), wanted.as_document()
    changes = {key: {"old": before[key], "new": after[key]} for key in before if before[key] != after[key]}
    coming = pending(session)
    complaints |= _announced_already(coming, changes)
    # What is announced holds by then: two changes that are possible each for itself may not be so together.
    then = in_force(session, settings, coming[-1].effective_at) if coming else now
    complaints |= _impossible(then.changed({key: after[key] for key in changes}), changes)
    if complaints:
        raise ValidationError(said("these rules cannot be"), fields=complaints)
    if not changes:
        raise ValidationError(said("nothing would change: these are the rules that hold"))
    notice = timedelta(hours=settings.community_fund.rule_notice_hours)
    return Proposal(changes, reason, utcnow() + notice)


def propose(
    session: Session, settings: Settings, actor: Actor, values: Mapping[str, Any], reason: str
) -> FundRuleChange:
    """Announce a change of some rules; it holds after the notice. Raises ValidationError as `preview` does.

    Changes are decided one after the other, so that two at once cannot be about the same rule.
    """
    with unit_of_work(session):
        pooled.lock(session, FUND)
        proposal = preview(session, settings, values, reason)
        change = FundRuleChange(
            decided_by=actor.name,
            reason=proposal.reason,
            effective_at=proposal.effective_at,
            changes=proposal.changes,
        )
        session.add(change)
        session.flush()
        operator_actions.record(
            session,
            actor,
            "change_fund_rules",
            SUBJECT,
            change=change.id,
            reason=proposal.reason,
            effective_at=to_rfc3339(change.effective_at),
            changes=proposal.changes,
        )
    return change


def withdraw(session: Session, actor: Actor, change_id: int) -> FundRuleChange:
    """Take back a change before it takes effect. Raises NotFoundError, and ConflictError when it is too late.

    The time is told once the lock is held: what an airdrop has been decided by meanwhile cannot be taken back.
    """
    with unit_of_work(session):
        pooled.lock(session, FUND)
        now = utcnow()
        still_pending = (
            (FundRuleChange.id == change_id)
            & FundRuleChange.withdrawn_at.is_(None)
            & (FundRuleChange.effective_at > now)
        )
        taken_back = update(FundRuleChange).where(still_pending)
        is_changed = changes_one_row(session, taken_back.values(withdrawn_at=now, withdrawn_by=actor.name))
        change = session.get(FundRuleChange, change_id, populate_existing=True)
        if change is None:
            raise NotFoundError(
                said("there is no change {change_id} of the fund's rules", change_id=change_id)
            )
        if not is_changed:
            state = said("withdrawn") if change.withdrawn_at else said("in force")
            raise ConflictError(said("the change is {state} already", state=state))
        operator_actions.record(session, actor, "withdraw_fund_rules", SUBJECT, change=change_id)
    return change


def _announced_already(coming: Sequence[FundRuleChange], changes: Mapping[str, object]) -> dict[str, str]:
    return {
        key: said(
            "is about to change already, on {moment}: wait for that, or withdraw it",
            moment=to_rfc3339(change.effective_at),
        )
        for change in coming
        for key in change.changes
        if key in changes
    }


def _impossible(wanted: FundRules, changes: Mapping[str, object]) -> dict[str, str]:
    """No airdrop could reach anybody if one node had to get more than the fund waits for."""
    if wanted.min_airdrop_amount <= wanted.airdrop_threshold:
        return {}
    words = {
        "min_airdrop_amount": said("must not be more than the threshold"),
        "airdrop_threshold": said("must not be less than the least that a node gets"),
    }
    return {key: message for key, message in words.items() if key in changes}
