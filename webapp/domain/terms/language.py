"""The parts of the terms: conditions, which are trees, and the leaves that look at facts, the delivery and clocks.

Facts, the delivery and the clocks only ever go on: what was approved, revealed, attested or delivered stays so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Time:
    """A moment of the calendar. Outages after the escrow's creation put it off."""

    at: datetime


@dataclass(frozen=True, slots=True)
class SinceDelivery:
    """So many hours after the delivery, whenever that is. Outages after the delivery put it off."""

    hours: int


@dataclass(frozen=True, slots=True)
class Height:
    """A block height of the chain, which may never be reached."""

    height: int


When = Time | SinceDelivery | Height


@dataclass(frozen=True, slots=True)
class PayerApproves:
    """The payer has said that the result is good."""


@dataclass(frozen=True, slots=True)
class VerifierApproves:
    """The key that the escrow names as its verifier has said so."""


@dataclass(frozen=True, slots=True)
class PreimageOf:
    """Somebody has shown bytes whose SHA-256, in lower-case hex, is this."""

    sha256: str


@dataclass(frozen=True, slots=True)
class AttestedBy:
    """The named key has signed a statement that fits the JSON Schema, which is kept as canonical JSON."""

    key_id: str
    statement: str


@dataclass(frozen=True, slots=True)
class AgreeingResults:
    """So many of the named nodes have delivered one and the same hash."""

    count: int
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProviderSignsResult:
    """The provider has delivered: a delivery is a hash signed by it."""


@dataclass(frozen=True, slots=True)
class ResultHashIs:
    """The provider has delivered exactly this hash."""

    result_hash: str


@dataclass(frozen=True, slots=True)
class DeliveredWithin:
    """The provider has delivered, and before this moment."""

    by: Time


@dataclass(frozen=True, slots=True)
class After:
    """The moment has come: it holds from then on."""

    when: When


@dataclass(frozen=True, slots=True)
class Before:
    """The moment has not come yet. What counts from the delivery has not come before there is one."""

    when: When


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them holds."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them holds, or more."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of them hold, or more."""

    count: int
    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    condition: Condition


Fact = PayerApproves | VerifierApproves | PreimageOf | AttestedBy | AgreeingResults
DeliveryLeaf = ProviderSignsResult | ResultHashIs | DeliveredWithin
Leaf = Fact | DeliveryLeaf | After | Before
Condition = AllOf | AnyOf | AtLeast | Not | Leaf


@dataclass(frozen=True)
class Terms:
    """When an escrow is released and when refunded, with the moment of its creation, from which its clocks run.

    The first moment at which one of the two holds decides. Without `refund_when` it is never refunded by its terms.
    """

    created_at: datetime
    release_when: Condition
    refund_when: Condition | None = None

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Each distinct leaf once, in the order in which they are read."""
        found = dict.fromkeys(leaves_of(self.release_when))
        if self.refund_when is not None:
            found |= dict.fromkeys(leaves_of(self.refund_when))
        return tuple(found)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """What people, keys and nodes can bring about, besides the delivery."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, Fact))

    @cached_property
    def moments(self) -> tuple[When, ...]:
        """Each distinct moment once."""
        found: dict[When, None] = {}
        for leaf in self.leaves:
            if isinstance(leaf, After | Before):
                found[leaf.when] = None
            elif isinstance(leaf, DeliveredWithin):
                found[leaf.by] = None
        return tuple(found)

    @cached_property
    def times(self) -> tuple[Time, ...]:
        """The moments of the calendar, the first one first."""
        return tuple(sorted((each for each in self.moments if isinstance(each, Time)), key=lambda e: e.at))

    @cached_property
    def windows(self) -> tuple[SinceDelivery, ...]:
        """The times since the delivery, the shortest first."""
        found = (each for each in self.moments if isinstance(each, SinceDelivery))
        return tuple(sorted(found, key=lambda each: each.hours))

    @cached_property
    def heights(self) -> tuple[Height, ...]:
        """The heights of the chain, the lowest first."""
        return tuple(
            sorted((each for each in self.moments if isinstance(each, Height)), key=lambda e: e.height)
        )

    @cached_property
    def result_hashes(self) -> tuple[str, ...]:
        """The hashes that make a difference when one of them is delivered."""
        return tuple(leaf.result_hash for leaf in self.leaves if isinstance(leaf, ResultHashIs))

    @cached_property
    def heeds_delivery(self) -> bool:
        """Whether a delivery makes any difference."""
        return bool(self.windows) or any(isinstance(leaf, DeliveryLeaf) for leaf in self.leaves)


def leaves_of(condition: Condition) -> Iterator[Leaf]:
    """Every leaf of a tree, in the order in which it is read."""
    match condition:
        case AllOf(of) | AnyOf(of) | AtLeast(_, of):
            for each in of:
                yield from leaves_of(each)
        case Not(inner):
            yield from leaves_of(inner)
        case _:
            yield condition
