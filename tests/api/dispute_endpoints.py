"""The endpoints of disputes with requests that work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import World
from tests.api.endpoint import Endpoint, Request
from tests.support.people import make_person
from webapp.domain.roles import Scope
from webapp.models import Escrow, User
from webapp.services.disputes import records
from webapp.services.wallet_ownership import actor_of_person


def _opening(world: World) -> Request:
    return Request(world.provider, f"/escrow/{world.escrow('5').id}/dispute", {"reason": "It is noise"})


def _about(
    after: str = "",
    body: dict[str, Any] | None = None,
    prepare: Callable[[World, Escrow], None] | None = None,
) -> Callable[[World], Request]:
    """About a dispute that the payer has opened, as the provider asks."""

    def request(world: World) -> Request:
        escrow = world.escrow("5")
        world.services.disputes(world.session, world.pair.payer.actor).open(escrow.id, "why")
        if prepare is not None:
            prepare(world, escrow)
        return Request(world.provider, f"/escrow/{escrow.id}/dispute{after}", body)

    return request


def _answer(world: World, escrow: Escrow) -> None:
    world.services.disputes(world.session, world.pair.provider.actor).speak(escrow.id, "because")


def _rule(world: World, escrow: Escrow) -> None:
    """Up to a ruling that can be appealed against."""
    for _ in range(5):
        make_person(world.session, world.services, "arbiter")
    _answer(world, escrow)
    ladder = world.services.disputes(world.session, world.pair.provider.actor)
    ladder.escalate(escrow.id)
    dispute = ladder.escalate(escrow.id)
    (seat,) = records.seated(records.seats_of(world.session, dispute))
    arbiter = actor_of_person(world.session, world.session.get_one(User, seat.user_id))
    world.services.judging(world.session, arbiter).rule(escrow.id, 5000, "so")


DISPUTE_ENDPOINTS = (
    Endpoint("api_disputes.open_dispute", "POST", Scope.ESCROW_DISPUTE, _opening, 201),
    Endpoint("api_disputes.show", "GET", Scope.ESCROW_READ, _about()),
    Endpoint("api_disputes.speak", "POST", Scope.ESCROW_DISPUTE, _about("/statements", {"text": "No"})),
    Endpoint(
        "api_disputes.escalate",
        "POST",
        Scope.ESCROW_DISPUTE,
        _about("/escalate", {"rung": "talk"}, _answer),
    ),
    Endpoint(
        "api_disputes.accept", "POST", Scope.ESCROW_DISPUTE, _about("/accept", {"rung": "appeal"}, _rule)
    ),
    Endpoint(
        "api_disputes.appeal",
        "POST",
        Scope.ESCROW_DISPUTE,
        _about("/appeal", {"reason": "More was done"}, _rule),
    ),
)
