"""Every endpoint with a request that works, so that each way of attacking one is tried on all of them."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from tests.api.conftest import ADDRESS, World
from tests.api.dispute_endpoints import DISPUTE_ENDPOINTS
from tests.api.endpoint import Endpoint, Request
from tests.api.terms_endpoints import TERMS_ENDPOINTS
from tests.support.evidence import add
from tests.support.money import fill_fund
from tests.support.people import make_node, make_person, signature
from tests.support.signing import Program
from webapp.domain.roles import PROGRAM, Scope
from webapp.models import Airdrop
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.node_registry import RegisteredNode
from webapp.services.nodes.challenges import sign_challenge


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


def _batch(world: World) -> Request:
    """Something that the payer may do, and something that is not there."""
    missing = {"do": "refund", "escrow_id": str(uuid.uuid4()), "reason": "gone"}
    operations = [{"do": "create", **world.terms(amount="1")}, missing]
    return Request(world.payer, "/escrow/batch", {"operations": operations})


def _about_offer(
    after: str = "", body: dict[str, Any] | None = None, *, by_its_side: bool = False
) -> Callable[[World], Request]:
    """About an offer of the payer's, which the provider answers."""

    def request(world: World) -> Request:
        escrow = world.escrow("5")
        made = world.services.offers(world.session, world.pair.payer.actor).offer(escrow.id, "2")
        asker = world.payer if by_its_side else world.provider
        return Request(asker, f"/escrow/{escrow.id}/offers/{made.id}{after}", body)

    return request


def _own_list(world: World) -> Request:
    return Request(world.payer, f"/escrow/list?wallet_id={world.pair.payer.wallet_id}&limit=5")


def _withdraw(world: World) -> Request:
    path = f"/wallet/{world.pair.payer.wallet_id}/withdraw"
    return Request(world.payer, path, {"address": ADDRESS, "amount": "1.5"})


def _airdrop(world: World) -> Request:
    operator = make_person(world.session, world.services, "operator")
    fill_fund(world.session, "10")
    body = {"node_ids": [_node(world).node.id], "amount_per_node": "5", "reason": "For the outage"}
    return Request(world.program(operator, (Scope.FUND_AIRDROP.value,)), "/community-fund/airdrop", body)


def _about_airdrop(after: str = "") -> Callable[[World], Request]:
    """Reads the one airdrop that there is; it is given when there is none yet."""

    def request(world: World) -> Request:
        known = world.session.scalars(select(Airdrop.id)).first()
        if known is None:
            operator = make_person(world.session, world.services, "operator")
            fill_fund(world.session, "10")
            airdrops = ManualAirdrops(world.session, world.services.settings, operator.actor)
            known = airdrops.give([_node(world).node.id], amount_per_node="5", reason="For the outage").id
            world.session.commit()
        return Request(world.payer, f"/community-fund/airdrops/{known}{after}")

    return request


def _node(world: World) -> RegisteredNode:
    return make_node(world.session, world.services, world.pair.provider)


def _report(world: World) -> Request:
    escrow = world.escrow()
    data = b"the result"
    result_hash = hashlib.sha256(data).hexdigest()
    body = {
        "result_hash": result_hash,
        "provider_signature": signature(world.pair, escrow, result_hash),
        "result": base64.b64encode(data).decode(),
    }
    assert world.provider.post(f"/escrow/{escrow.id}/deliver", body).status_code == 200
    return Request(world.payer, f"/escrow/{escrow.id}/report")


def _disputed(world: World) -> str:
    """The address of an escrow that the payer objects to."""
    ladder = world.services.disputes(world.session, world.pair.payer.actor)
    return f"/escrow/{ladder.open(world.escrow('1').id, 'The picture is too small').id}"


def _evidence(world: World) -> Request:
    content = base64.b64encode(b'{"width": 640}').decode()
    body = {"text": "It is too small", "file": {"name": "found.json", "content": content}}
    return Request(world.payer, f"{_disputed(world)}/evidence", body)


def _after_evidence(after: str) -> Callable[[World], Request]:
    """Reads about an escrow on which the payer has shown something."""

    def request(world: World) -> Request:
        path = _disputed(world)
        escrow = world.services.escrow_manager(world.session, PROGRAM).get_escrow(path.rpartition("/")[2])
        add(world.session, world.services, world.pair.payer, escrow, "It is too small", b"640", "found.txt")
        return Request(world.provider, path + after)

    return request


def _service(world: World) -> int:
    catalogue = world.services.catalogue(world.session)
    provider = world.pair.provider
    service = catalogue.offer(provider.actor, provider.wallet_id, name=f"s-{uuid.uuid4()}", kind="text")
    return service.id


def _offer(world: World) -> Request:
    body = {"name": f"s-{uuid.uuid4()}", "kind": "image", "provider_wallet_id": world.pair.provider.wallet_id}
    return Request(world.provider, "/services", body | {"limits": {"formats": ["PNG"]}, "price": "5"})


def _register(world: World) -> Request:
    body = {"node_id": f"node-{uuid.uuid4()}", "wallet_id": world.pair.provider.wallet_id}
    return Request(world.provider, "/nodes", body)


def _beat(world: World) -> Request:
    made = _node(world)
    body = {"load": "0.35", "tasks_running": 2, "version": "1.4.0"}
    return Request(Program(world.app, made.key), f"/nodes/{made.node.id}/heartbeat", body)


def _answer(world: World) -> Request:
    made = _node(world)
    asked = world.services.node_auth(world.session).challenge(made.node.id)
    body = {"challenge": asked, "signature": sign_challenge(made.key.secret, made.node.id, asked)}
    return Request(world.provider, f"/nodes/{made.node.id}/challenge/answer", body)


def _about_node(after: str = "", body: dict[str, Any] | None = None) -> Callable[[World], Request]:
    return lambda world: Request(world.provider, f"/nodes/{_node(world).node.id}{after}", body)


NODE_ENDPOINTS = (
    Endpoint("api_nodes.register", "POST", Scope.NODE_MANAGE, _register, 201, 403),
    Endpoint(
        "api_nodes.list_all",
        "GET",
        Scope.NODE_READ,
        lambda world: Request(world.payer, f"/nodes?text={_node(world).node.id}&status=offline"),
        200,
        None,
    ),
    Endpoint("api_nodes.show", "GET", Scope.NODE_READ, _about_node(), 200, None),
    Endpoint(
        "api_nodes.update",
        "PATCH",
        Scope.NODE_MANAGE,
        _about_node("", {"region": "eu-west", "capabilities": ["gpu"]}),
        200,
        403,
    ),
    Endpoint("api_nodes.rotate", "POST", Scope.NODE_MANAGE, _about_node("/rotate"), 200, 403),
    Endpoint("api_nodes.challenge", "POST", Scope.NODE_HEARTBEAT, _about_node("/challenge"), 200, 403),
    Endpoint("api_nodes.answer_challenge", "POST", Scope.NODE_HEARTBEAT, _answer, 200, 403),
    Endpoint("api_nodes.heartbeat", "POST", Scope.NODE_HEARTBEAT, _beat, 200, 403),
)

SERVICE_ENDPOINTS = (
    Endpoint("api_services.offer", "POST", Scope.SERVICE_MANAGE, _offer, 201, 403),
    Endpoint(
        "api_services.list_all",
        "GET",
        Scope.SERVICE_READ,
        lambda world: Request(world.payer, f"/services?kind=text&limit={min(_service(world), 5)}"),
        200,
        None,
    ),
    Endpoint(
        "api_services.show",
        "GET",
        Scope.SERVICE_READ,
        lambda world: Request(world.payer, f"/services/{_service(world)}"),
        200,
        None,
    ),
    Endpoint(
        "api_services.change",
        "PATCH",
        Scope.SERVICE_MANAGE,
        lambda world: Request(world.provider, f"/services/{_service(world)}", {"price": None}),
        200,
        403,
    ),
)


def _plan(world: World) -> dict[str, Any]:
    parts = [{"title": f"Part {number}", "amount": "2"} for number in (1, 2)]
    return {**world.terms(), "amount": "4", "title": "A film", "milestones": parts}


def _made_plan(world: World) -> Request:
    made = world.payer.post("/escrow/plans", _plan(world))
    return Request(world.provider, f"/escrow/plans/{made.json['id']}")


PLAN_ENDPOINTS = (
    Endpoint(
        "api_plans.create",
        "POST",
        Scope.ESCROW_CREATE,
        lambda world: Request(world.payer, "/escrow/plans", _plan(world)),
        201,
        403,
    ),
    Endpoint("api_plans.show", "GET", Scope.ESCROW_READ, _made_plan),
)

OFFER_ENDPOINTS = (
    Endpoint(
        "api_offers.offer",
        "POST",
        Scope.ESCROW_SETTLE,
        lambda world: Request(world.payer, f"/escrow/{world.escrow('5').id}/offers", {"share": "2"}),
        201,
    ),
    Endpoint(
        "api_offers.list_all",
        "GET",
        Scope.ESCROW_READ,
        lambda world: Request(world.payer, f"/escrow/{world.escrow('5').id}/offers"),
    ),
    Endpoint("api_offers.show", "GET", Scope.ESCROW_READ, _about_offer()),
    Endpoint("api_offers.accept", "POST", Scope.ESCROW_SETTLE, _about_offer("/accept", {"share": "2"})),
    Endpoint("api_offers.decline", "POST", Scope.ESCROW_SETTLE, _about_offer("/decline")),
    Endpoint("api_offers.withdraw", "POST", Scope.ESCROW_SETTLE, _about_offer("/withdraw", by_its_side=True)),
)

ENDPOINTS = (
    *TERMS_ENDPOINTS,
    *DISPUTE_ENDPOINTS,
    *SERVICE_ENDPOINTS,
    *OFFER_ENDPOINTS,
    *PLAN_ENDPOINTS,
    *NODE_ENDPOINTS,
    Endpoint("api_escrows.create", "POST", Scope.ESCROW_CREATE, _create, 201, 403),
    Endpoint("api_escrows.deliver", "POST", Scope.ESCROW_DELIVER, _deliver),
    Endpoint("api_escrows.release", "POST", Scope.ESCROW_RELEASE, _release),
    Endpoint("api_escrows.refund", "POST", Scope.ESCROW_REFUND, _refund),
    Endpoint("api_batches.run_batch", "POST", None, _batch, 200, None),
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
    Endpoint("api_escrows.show_report", "GET", Scope.ESCROW_READ, _report),
    Endpoint("api_evidence.add", "POST", Scope.ESCROW_DISPUTE, _evidence, 201),
    Endpoint("api_evidence.list_all", "GET", Scope.ESCROW_READ, _after_evidence("/evidence")),
    Endpoint("api_evidence.show_file", "GET", Scope.ESCROW_READ, _after_evidence("/evidence/1")),
    Endpoint("api_evidence.show_case_file", "GET", Scope.ESCROW_READ, _after_evidence("/case-file")),
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
    Endpoint(
        "api_community_fund.list_airdrops",
        "GET",
        Scope.FUND_READ,
        lambda world: Request(world.payer, "/community-fund/airdrops?limit=5"),
        200,
        None,
    ),
    Endpoint("api_community_fund.show_airdrop", "GET", Scope.FUND_READ, _about_airdrop(), 200, None),
    Endpoint(
        "api_community_fund.list_recipients",
        "GET",
        Scope.FUND_READ,
        _about_airdrop("/recipients?limit=5"),
        200,
        None,
    ),
    Endpoint(
        "api_community_fund.show_snapshot", "GET", Scope.FUND_READ, _about_airdrop("/snapshot"), 200, None
    ),
    Endpoint("api_community_fund.give_airdrop", "POST", Scope.FUND_AIRDROP, _airdrop, 200, 403),
)
