"""The fund, its airdrops and their recipients as the documents that the JSON endpoints give."""

from __future__ import annotations

from typing import Any

from flask import url_for

from webapp.blueprints.api.fund_schemas import (
    AirdropDocument,
    FundDocument,
    PendingRuleChange,
    RecipientDocument,
    RuleChange,
    RulesDocument,
)
from webapp.domain.clock import to_rfc3339
from webapp.domain.money import Amount
from webapp.models import Airdrop, FundRuleChange
from webapp.services.airdrops.history import RecipientLine

_STRUCTURED = ("rules", "pending_rule_changes")


def fund_document(figures: dict[str, Any]) -> FundDocument:
    """The fund's figures as `CommunityFundManager.get_fund_statistics` gives them."""
    plain = {name: _plain(value) for name, value in figures.items() if name not in _STRUCTURED}
    return FundDocument(
        **plain,
        rules=RulesDocument(**figures["rules"].as_document()),
        pending_rule_changes=[_pending(change) for change in figures["pending_rule_changes"]],
    )


def airdrop_document(airdrop: Airdrop) -> AirdropDocument:
    """One airdrop."""
    names = set(AirdropDocument.model_fields) - {"id", "links"}
    return AirdropDocument(
        id=str(airdrop.id),
        **{name: _plain(getattr(airdrop, name)) for name in names},
        links={
            "self": url_for("api_community_fund.show_airdrop", id=airdrop.id),
            "recipients": url_for("api_community_fund.list_recipients", id=airdrop.id),
            "snapshot": url_for("api_community_fund.show_snapshot", id=airdrop.id),
        },
    )


def recipient_document(line: RecipientLine) -> RecipientDocument:
    """One share."""
    values = {name: getattr(line, name) for name in RecipientDocument.model_fields}
    return RecipientDocument(**values | {"amount": str(line.amount)})


def _pending(change: FundRuleChange) -> PendingRuleChange:
    return PendingRuleChange(
        id=change.id,
        decided_at=to_rfc3339(change.decided_at) or "",
        effective_at=to_rfc3339(change.effective_at) or "",
        reason=change.reason,
        changes=[
            RuleChange(rule=key, old=str(each["old"]), new=str(each["new"]))
            for key, each in change.changes.items()
        ],
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    return str(value) if isinstance(value, Amount) else to_rfc3339(value)
