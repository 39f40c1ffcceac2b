"""What holds now in a condition, what can still come, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from webapp.domain.terms.language import (
    After,
    AgreeingResults,
    AllOf,
    AnyOf,
    AtLeast,
    AttestedBy,
    Before,
    Condition,
    DeliveredWithin,
    Height,
    Leaf,
    Not,
    PayerApproves,
    PreimageOf,
    ProviderSignsResult,
    ResultHashIs,
    VerifierApproves,
)
from webapp.domain.terms.progress import Progress


class Turn(StrEnum):
    """Who or what can bring a condition about."""

    PAYER = "payer"
    PROVIDER = "provider"
    VERIFIER = "verifier"
    KEY = "key"
    NODES = "nodes"
    ANYBODY = "anybody"
    TIME = "time"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class State:
    """A condition with what is in it. `can_hold` and `can_fail` say whether it holds, or not, now or later.

    They look at each part by itself, so that a group of parts which exclude each other may look open. `turn` is None
    for groups, and for leaves that are settled one way or the other.
    """

    condition: Condition
    holds: bool
    can_hold: bool
    can_fail: bool
    turn: Turn | None = None
    parts: tuple[State, ...] = ()

    def waits_for(self) -> Iterator[State]:
        """The leaves that are missing: each would help if it came to hold."""
        if self.holds or not self.can_hold or isinstance(self.condition, Not):
            return
        if self.turn is not None:
            yield self
        for part in self.parts:
            yield from part.waits_for()


def state_of(condition: Condition, progress: Progress) -> State:
    """The whole tree at this point."""
    match condition:
        case AllOf(of):
            return _group(condition, len(of), [state_of(each, progress) for each in of])
        case AnyOf(of):
            return _group(condition, 1, [state_of(each, progress) for each in of])
        case AtLeast(count, of):
            return _group(condition, count, [state_of(each, progress) for each in of])
        case Not(inner):
            part = state_of(inner, progress)
            return State(condition, not part.holds, part.can_fail, part.can_hold, parts=(part,))
        case _:
            return _leaf(condition, progress)


def _group(condition: Condition, count: int, parts: list[State]) -> State:
    return State(
        condition,
        sum(part.holds for part in parts) >= count,
        sum(part.can_hold for part in parts) >= count,
        sum(not part.can_fail for part in parts) < count,
        parts=tuple(parts),
    )


def _leaf(leaf: Leaf, progress: Progress) -> State:
    holds = progress.holds(leaf)
    if isinstance(leaf, Before):
        return State(leaf, holds, can_hold=holds, can_fail=True)
    can_hold = holds or _can_come(leaf, progress)
    return State(leaf, holds, can_hold, not holds, _turn(leaf, progress) if can_hold and not holds else None)


def _can_come(leaf: Leaf, progress: Progress) -> bool:
    match leaf:
        case ResultHashIs():
            return progress.result_hash is None
        case DeliveredWithin(by):
            return progress.result_hash is None and by not in progress.passed
        case _:
            return True


def _turn(leaf: Leaf, progress: Progress) -> Turn:
    match leaf:
        case PayerApproves():
            return Turn.PAYER
        case VerifierApproves():
            return Turn.VERIFIER
        case ProviderSignsResult() | ResultHashIs() | DeliveredWithin():
            return Turn.PROVIDER
        case AttestedBy():
            return Turn.KEY
        case AgreeingResults():
            return Turn.NODES
        case PreimageOf():
            return Turn.ANYBODY
        case After(Height()):
            return Turn.CHAIN
        case _:
            return Turn.TIME
