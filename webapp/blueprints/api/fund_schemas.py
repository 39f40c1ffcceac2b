"""What the endpoints of the community fund take and give."""

from typing import Literal

from pydantic import ConfigDict, Field

from webapp.blueprints.api.fields import HASH, AmountIn, AmountOut, MomentOut, Text
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

NODE_ID = "node_001"
AIRDROP_ID = "0198c3f9-1f07-7ac3-8a51-6b0d8e2f4c11"
ShareStatus = Literal["chosen", "credited", "paying", "paid", "failed"]


class AirdropOrder(RequestPart):
    """An airdrop by hand: so much to each of these nodes, or a total in equal parts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"node_ids": [NODE_ID, "node_002"], "amount_per_node": "5"}},
    )

    node_ids: list[Text] = Field(description="The nodes, each once; at most `max_airdrop_nodes`")
    amount_per_node: AmountIn | None = Field(None, description="What each gets; without it, `total_amount`")
    total_amount: AmountIn | None = Field(
        None, description="What all get together, in equal parts; what does not divide stays in the fund"
    )
    reason: str = Field("", description="Why, in up to 300 characters; it is published with the airdrop")
    dry_run: bool = Field(False, description="Only say what would be given: nothing happens")


class AirdropShare(Answer):
    """What one node gets. `chosen` is not paid yet: it goes to the chain with one of the next batches."""

    node_id: str = Field(examples=[NODE_ID])
    amount: AmountOut = Field(examples=["5.00000000"])
    pay_to: Literal["balance", "chain"] = Field(description="Its owner's balance here, or an address")
    address: str | None
    status: ShareStatus
    reason: str = Field(description="Why it failed; in a dry run what should be known of the node")


class AirdropAnswer(Answer):
    """What was given, or would be. A failed one's share stays in the fund."""

    airdrop_id: str | None = Field(description="null after a dry run")
    dry_run: bool
    successful_airdrops: int
    failed_airdrops: int
    total_distributed: AmountOut = Field(examples=["10.00000000"])
    airdrops: list[AirdropShare]


class AirdropPath(RequestPart):
    """An airdrop's id in the address."""

    id: str = Field(description="The airdrop's id", json_schema_extra={"example": AIRDROP_ID})


class PageQuery(RequestPart):
    """Which page of a list."""

    limit: int = Field(DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="How many at most")
    cursor: str | None = Field(None, description="`next_cursor` of the page before")


class RulesDocument(Answer):
    """The rules that hold, by the names of the section `community_fund` of the settings."""

    airdrop_threshold: AmountOut
    min_airdrop_amount: AmountOut
    airdrop_interval_hours: int
    max_airdrop_nodes: int
    airdrop_shares: Literal["equal", "reputation"]
    max_nodes_per_owner: int
    waiting_period_hours: int
    min_settled_escrows: int
    min_settled_amount: AmountOut
    settled_within_days: int


class RuleChange(Answer):
    """A rule with its two values, as text."""

    rule: str = Field(examples=["airdrop_threshold"])
    old: str = Field(examples=["100.00000000"])
    new: str = Field(examples=["200.00000000"])


class PendingRuleChange(Answer):
    """A change of rules that is announced and does not hold yet."""

    id: int
    decided_at: MomentOut
    effective_at: MomentOut
    reason: str
    changes: list[RuleChange]


class FundDocument(Answer):
    """The community fund. `next_airdrop_trigger` is what it still lacks to the threshold."""

    current_balance: AmountOut
    airdrop_threshold: AmountOut
    next_airdrop_trigger: AmountOut
    progress: int = Field(description="How far it is to the threshold, in whole per cent, at most 100")
    total_collected: AmountOut
    total_distributed: AmountOut
    recent_24h_collected: AmountOut
    recent_7d_collected: AmountOut
    recipients: int = Field(description="The shares of all airdrops together")
    airdrops: int
    last_airdrop_at: MomentOut | None = Field(description="Of either kind")
    last_airdrop_amount: AmountOut | None
    next_airdrop_at: MomentOut | None = Field(
        description="Before this there is no automatic airdrop; null while there was none"
    )
    is_airdrop_due: bool
    is_airdrop_under_way: bool = Field(description="Its snapshot is taken, and nothing has moved yet")
    blocked_reason: str | None = Field(description="What keeps one from going that is due")
    rules: RulesDocument
    pending_rule_changes: list[PendingRuleChange]


class AirdropDocument(Answer):
    """An airdrop. `snapshot_hash` is the SHA-256 of the document at `links.snapshot`, byte for byte."""

    id: str = Field(examples=[AIRDROP_ID])
    number: int
    kind: Literal["automatic", "manual"]
    status: Literal["snapshot", "paying", "done", "abandoned"]
    reason: str
    taken_at: MomentOut
    posted_at: MomentOut | None
    finished_at: MomentOut | None
    block_height: int
    balance: AmountOut = Field(description="What the fund held")
    total: AmountOut = Field(description="What was given")
    recipient_count: int
    snapshot_hash: str = Field(examples=[HASH])
    links: dict[str, str]


class AirdropPage(Answer):
    """Some airdrops, the newest first."""

    items: list[AirdropDocument]
    next_cursor: str | None = Field(description="What to ask for the next page with; null on the last one")


class RecipientDocument(Answer):
    """A node's share. The chain's facts are there once its payout is in a transaction."""

    position: int = Field(description="Its place in the order in which shares were decided")
    node_id: str = Field(examples=[NODE_ID])
    amount: AmountOut
    pay_to: Literal["balance", "chain"]
    status: ShareStatus
    reason: str
    payout_status: str | None
    txid: str | None
    output_index: int | None
    confirmations: int


class RecipientPage(Answer):
    """Some recipients of an airdrop, in the order in which shares were decided."""

    items: list[RecipientDocument]
    next_cursor: str | None = Field(description="What to ask for the next page with; null on the last one")


class NodeFactsDocument(Answer):
    """What counts of one node. Without refusals it may take part."""

    node_id: str = Field(examples=[NODE_ID])
    owner: str = Field(description="Stands for one owner, and tells nobody who it is")
    reputation: int
    refusals: list[str]


class OrderedShare(Answer):
    """What an operator gives one node."""

    node_id: str = Field(examples=[NODE_ID])
    amount: AmountOut


class SnapshotDocument(Answer):
    """What an airdrop was decided from, as published; the fund's page says how shares follow from it.

    An automatic one has block, `set_aside` and `nodes`; one by hand has who asked, why, and `recipients`.
    """

    format: Literal["duxos-airdrop-snapshot-1", "duxos-airdrop-order-1"]
    airdrop_id: str
    number: int
    kind: Literal["automatic", "manual"]
    taken_at: MomentOut
    balance: AmountOut
    rules: RulesDocument
    block_height: int = Field(0)
    block_hash: str = Field("")
    set_aside: AmountOut = Field("0.00000000")
    nodes: list[NodeFactsDocument] = Field([])
    requested_by: str = Field("")
    reason: str = Field("")
    recipients: list[OrderedShare] = Field([])
