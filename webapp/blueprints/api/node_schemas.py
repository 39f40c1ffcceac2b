"""What the endpoints of nodes take and give."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from webapp.blueprints.api.fields import ADDRESS, HASH, MomentOut, Text, WalletId
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.node_health import MAX_LOAD, Health
from webapp.domain.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from webapp.services.nodes.heartbeats import MAX_TASKS

Status = Literal["active", "late", "offline", "suspended"]
Destination = Literal["balance", "chain"]
LoadIn = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?$"},
                {"type": "number", "minimum": 0, "maximum": MAX_LOAD},
            ],
            "description": "How busy the node is, with at most three decimals: 1 is all it can bear",
        }
    ),
]


class NodePath(RequestPart):
    """A node's id in the address."""

    id: str = Field(description="The node's id", json_schema_extra={"example": "node_001"})


class NodeQuery(RequestPart):
    """Which nodes to list."""

    text: Text | None = Field(None, description="Only those with this in their id, in either case")
    capability: Text | None = Field(None, description="Only those that can do this")
    region: Text | None = Field(None, description="Only those in exactly this region")
    health: Health | None = Field(None, description="Only those that are heard from like this")
    status: Status | None = Field(None, description="Only those with this status")
    limit: int = Field(DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="How many at most")
    cursor: str | None = Field(None, description="`next_cursor` of the page before")


class NodeProfile(RequestPart):
    """What an owner says of a node. In a change, what is left out stays as it is."""

    region: Text | None = Field(None, examples=["eu-west"])
    version: Text | None = Field(None, description="Until its heartbeats say another", examples=["1.4.0"])
    capabilities: list[Text] | None = Field(
        None, description="At most 32 names, which take the place of those before", examples=[["gpu"]]
    )
    airdrop_to: Destination | None = Field(
        None, description="Where airdrops go: into the wallet's balance, or to an address on the chain"
    )
    airdrop_address: Text | None = Field(
        None,
        description="With `chain`; without one the wallet's payout address. null: none",
        examples=[ADDRESS],
    )


class NewNode(NodeProfile):
    """A node to be registered."""

    node_id: Text = Field(
        description="1 to 64 letters, digits, dots, dashes or colons", examples=["node_001"]
    )
    wallet_id: WalletId | None = Field(None, description="Whose it is; the key's wallet without it")


class Heartbeat(RequestPart):
    """How a node is."""

    load: LoadIn = Field(examples=["0.35"])
    tasks_running: int = Field(0, ge=0, le=MAX_TASKS, strict=True)
    version: Text = Field("", description="Of the node's software", examples=["1.4.0"])


class ChallengeAnswer(RequestPart):
    """A challenge, signed."""

    challenge: str = Field(max_length=64)
    signature: str = Field(
        max_length=128,
        description="HMAC-SHA256 in hexadecimal, with any secret of the node that works, over the canonical JSON "
        '(RFC 8785) of {"challenge", "node_id"}',
        examples=[HASH],
    )


class NodeDocument(Answer):
    """A node. From `wallet_id` on it is for its owner and itself; to all others these are null."""

    node_id: str = Field(examples=["node_001"])
    status: Status = Field(description="`active`: heard from in time, and not suspended")
    health: Health
    reputation: int = Field(description="0 to 1000, from what its escrows came to")
    capabilities: list[str]
    region: str
    version: str
    last_beat_at: MomentOut | None
    load: str | None = Field(description="As the node says: 1 is all it can bear", examples=["0.350"])
    tasks_running: int | None
    registered_at: MomentOut
    verified_at: MomentOut | None = Field(description="When it first proved that it has its secret")
    wallet_id: int | None
    wallet_address: str | None = Field(description="Where its airdrops go on the chain; null: to the balance")
    airdrop_to: Destination | None
    airdrop_address: str | None
    status_reason: str | None = Field(description="Why it is suspended, or is no longer")


class NodePage(Answer):
    """Some nodes, in the order of their ids."""

    items: list[NodeDocument]
    next_cursor: str | None = Field(description="What to ask for the next page with; null on the last one")


class NodeKey(Answer):
    """A node's new key."""

    node_id: str
    key_id: str
    secret: str | None = Field(
        description="Shown this once: a repeated request with the same Idempotency-Key is answered without it"
    )


class CreatedNode(NodeDocument, NodeKey):
    """A new node with its first key, and its address in `Location`."""


class ChallengeDocument(Answer):
    """What the node is to sign. It takes the place of an earlier challenge, and works once."""

    node_id: str
    challenge: str
    expires_at: MomentOut


class HeartbeatAnswer(Answer):
    """What the beat made of the node. Send the next one in `next_within_seconds`."""

    node_id: str
    health: Health
    next_within_seconds: int
