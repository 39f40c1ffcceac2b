"""A published snapshot read back into facts, to show once more what was decided from it."""

from __future__ import annotations

import json
from datetime import datetime

from webapp.domain.airdrops.refusals import Refusal
from webapp.domain.airdrops.snapshot import NodeFacts, Snapshot
from webapp.domain.fund_rules import AMOUNTS, FundRules
from webapp.domain.money import Amount


def read(document: str) -> Snapshot:
    """The facts of a document that `Snapshot.document` made; made a document again, they are the same bytes."""
    content = json.loads(document)
    return Snapshot(
        airdrop_id=content["airdrop_id"],
        number=content["number"],
        taken_at=datetime.fromisoformat(content["taken_at"]),
        block_height=content["block_height"],
        block_hash=content["block_hash"],
        balance=_amount(content["balance"]),
        set_aside=_amount(content["set_aside"]),
        rules=_rules(content["rules"]),
        nodes=tuple(
            NodeFacts(
                node["node_id"],
                node["owner"],
                node["reputation"],
                tuple(Refusal(each) for each in node["refusals"]),
            )
            for node in content["nodes"]
        ),
    )


def _amount(text: str) -> Amount:
    return Amount.parse(text, allow_zero=True)


def _rules(document: dict[str, str | int]) -> FundRules:
    amounts = {name: _amount(str(document[name])) for name in AMOUNTS}
    return FundRules(**{**document, **amounts})  # type: ignore[arg-type]
