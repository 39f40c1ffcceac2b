"""Every endpoint with a request that works, so that each way of attacking one is tried on all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import ADDRESS, World
from tests.support.signing import Program
from webapp.domain.roles import Scope


@dataclass(frozen=True)
class Request:
    """Something that the program may ask."""

    program: Program
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Endpoint:
    """`request` makes one that works. A stranger who sends it gets `to_strangers`; None: it is not about anybody."""

    name: str
    method: str
    scope: Scope
    request: Callable[[World], Request]
    status: int = 200
    to_strangers: int | None = 404


def _create(world: World) -> Request:
    return Request(world.payer, "/escrow/create", world.terms())


def _deliver(world: World) -> Request:
    escrow = world.escrow()
    return Request(world.provider, f"/escrow/{escrow.id}/deliver", world.result(escrow))


def _release(world: World) -> Request:
    escrow = world.escrow()
    return Request(world.payer, f"/escrow/{escrow.id}/release", world.result(escrow))


def _refund(world: World) -> Request:
    return Request(world.provider, f"/escrow/{world.escrow().id}/refund", {"reason": "Task timeout"})


def _own_list(world: World) -> Request:
    return Request(world.payer, f"/escrow/list?wallet_id={world.pair.payer.wallet_id}&limit=5")


def _withdraw(world: World) -> Request:
    path = f"/wallet/{world.pair.payer.wallet_id}/withdraw"
    return Request(world.payer, path, {"address": ADDRESS, "amount": "1.5"})


ENDPOINTS = (
    Endpoint("api_escrows.create", "POST", Scope.ESCROW_CREATE, _create, 201, 403),
    Endpoint("api_escrows.deliver", "POST", Scope.ESCROW_DELIVER, _deliver),
    Endpoint("api_escrows.release", "POST", Scope.ESCROW_RELEASE, _release),
    Endpoint("api_escrows.refund", "POST", Scope.ESCROW_REFUND, _refund),
    Endpoint("api_escrows.list_all", "GET", Scope.ESCROW_READ, _own_list),
    Endpoint(
        "api_escrows.show",
        "GET",
        Scope.ESCROW_READ,
        lambda world: Request(world.provider, f"/escrow/{world.escrow().id}"),
    ),
    Endpoint(
        "api_escrows.list_transactions",
        "GET",
        Scope.ESCROW_READ,
        lambda world: Request(world.payer, f"/escrow/{world.escrow().id}/transactions"),
    ),
    Endpoint(
        "api_wallets.show",
        "GET",
        Scope.WALLET_READ,
        lambda world: Request(world.payer, f"/wallet/{world.pair.payer.wallet_id}"),
    ),
    Endpoint(
        "api_wallets.preview",
        "GET",
        Scope.WALLET_READ,
        lambda world: Request(
            world.payer, f"/wallet/{world.pair.payer.wallet_id}/withdraw/preview?amount=50"
        ),
    ),
    Endpoint("api_wallets.withdraw", "POST", Scope.WALLET_WITHDRAW, _withdraw, 201),
    Endpoint(
        "api_payouts.show",
        "GET",
        Scope.WALLET_READ,
        lambda world: Request(world.payer, f"/payout/{world.payout().id}"),
    ),
    Endpoint(
        "api_community_fund.status",
        "GET",
        Scope.FUND_READ,
        lambda world: Request(world.payer, "/community-fund/status"),
        200,
        None,
    ),
)
