"""What is published of an airdrop that an operator gave by hand: nothing follows from facts, so who gets what is said.

The document is canonical JSON (RFC 8785), hashed like a snapshot.

    {"format", "airdrop_id", "number", "kind", "taken_at", "balance", "rules": {...}, "requested_by", "reason",
     "recipients": [{"node_id", "amount"}, ...]}

`requested_by` is always "operator": who it was stands in the operators' record and is not published. Recipients stand
in the order in which they are paid. Amounts are FLOP as text with eight decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.domain.airdrops.decision import Share
from webapp.domain.canonical import canonical_json
from webapp.domain.clock import to_rfc3339
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import Amount

FORMAT = "duxos-airdrop-order-1"


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's decision at one moment. `balance` is what the fund held before it."""

    airdrop_id: str
    number: int
    taken_at: datetime
    balance: Amount
    rules: FundRules
    reason: str
    recipients: Sequence[Share]

    def document(self) -> str:
        """The order as it is published, byte for byte."""
        content = {
            "format": FORMAT,
            "airdrop_id": self.airdrop_id,
            "number": self.number,
            "kind": "manual",
            "taken_at": to_rfc3339(self.taken_at),
            "balance": str(self.balance),
            "rules": self.rules.as_document(),
            "requested_by": "operator",
            "reason": self.reason,
            "recipients": [
                {"node_id": share.node_id, "amount": str(share.amount)} for share in self.recipients
            ],
        }
        return canonical_json(content).decode()
