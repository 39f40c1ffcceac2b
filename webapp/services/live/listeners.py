"""The subscriptions of one process, by those whom changes concern: most changes concern one or two of hundreds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

from webapp.services.live.changes import AGAIN, Audience, Change
from webapp.services.live.subscription import Subscription

_STAFF, _OPERATORS = "staff", "operators"


class Listeners:
    """Subscriptions in the order in which they came. Not safe between threads: whoever owns it takes turns."""

    def __init__(self) -> None:
        self._all: dict[Subscription, None] = {}
        self._by_concern: defaultdict[Hashable, dict[Subscription, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Subscription]:
        """A copy, so that they may be removed meanwhile."""
        return iter(list(self._all))

    def add(self, subscription: Subscription) -> None:
        """Count it among the listeners."""
        self._all[subscription] = None
        for concern in _concerns_of(subscription):
            self._by_concern[concern][subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Forget it. One that is not there is fine."""
        self._all.pop(subscription, None)
        for concern in _concerns_of(subscription):
            listening = self._by_concern.get(concern, {})
            listening.pop(subscription, None)
            if not listening:
                self._by_concern.pop(concern, None)

    def renew(self, subscription: Subscription, audience: Audience) -> None:
        """Whoever listens is somebody else by now: has another wallet, or another role."""
        if audience != subscription.audience and subscription in self._all:
            self.remove(subscription)
            subscription.audience = audience
            self.add(subscription)

    def of(self, change: Change) -> Iterable[Subscription]:
        """Those that the change may concern; each judges by itself."""
        if change.topic == AGAIN:
            return list(self._all)
        found: dict[Subscription, None] = {}
        for concern in _concerns_in(change):
            found |= self._by_concern.get(concern, {})
        return found


def _concerns_of(subscription: Subscription) -> Iterator[Hashable]:
    audience = subscription.audience
    yield "user", audience.user_id
    yield from (("wallet", wallet_id) for wallet_id in audience.wallet_ids)
    yield from (("topic", topic) for topic in subscription.shows)
    if audience.is_staff:
        yield _STAFF
    if audience.is_operator:
        yield _OPERATORS


def _concerns_in(change: Change) -> Iterator[Hashable]:
    yield "user", change.user_id
    yield from (("wallet", wallet_id) for wallet_id in change.wallet_ids)
    if change.is_for_everybody:
        yield "topic", change.topic
    if change.is_for_staff:
        yield _STAFF
    if change.is_for_operators:
        yield _OPERATORS
