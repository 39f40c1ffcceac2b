"""Why a node gets no share of an airdrop, or cannot be named in one."""

from __future__ import annotations

from enum import StrEnum

from webapp.domain.said import said


class Refusal(StrEnum):
    """One reason. Those down to NO_ADDRESS are facts of the snapshot; the next three follow from it."""

    SUSPENDED = "suspended"
    UNVERIFIED = "unverified"
    OFFLINE = "offline"
    NEW = "new"
    NO_SETTLED_WORK = "no_settled_work"
    NO_ADDRESS = "no_address"
    OWNER_CAP = "owner_cap"
    TOO_MANY = "too_many"
    SHARE_TOO_SMALL = "share_too_small"
    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"

    @property
    def words(self) -> str:
        """What it means, as the end of a sentence that begins with the node."""
        return _WORDS[self]


_WORDS = {
    Refusal.SUSPENDED: said("is suspended"),
    Refusal.UNVERIFIED: said("has not proved yet that it has its secret"),
    Refusal.OFFLINE: said("is offline"),
    Refusal.NEW: said("has not been registered for long enough"),
    Refusal.NO_SETTLED_WORK: said("has not done enough work that was paid for"),
    Refusal.NO_ADDRESS: said("has no address that can be paid"),
    Refusal.OWNER_CAP: said("is one of more nodes of one owner than may take part"),
    Refusal.TOO_MANY: said("comes after the last node that an airdrop can reach"),
    Refusal.SHARE_TOO_SMALL: said("would get less than the least that is given"),
    Refusal.UNKNOWN: said("is not registered"),
    Refusal.DUPLICATE: said("is named more than once"),
}
