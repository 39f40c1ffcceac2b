"""Who may see which page, and who is turned away how."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask

from tests.support.browsing import Browser
from tests.support.people import Pair, make_escrow, make_node
from webapp.domain.money import Amount
from webapp.models import Escrow, Node, Payout, Plan
from webapp.services.container import Services
from webapp.services.plans import Milestone
from webapp.web.static_files import static_url

EVERYBODY = {"payer": 200, "provider": 200, "other": 200, "operator": 200, "arbiter": 200, "stranger": 303}
PARTIES = EVERYBODY | {"other": 404}
NOWHERE = dict.fromkeys(EVERYBODY, 404) | {"stranger": 303}
OWNER = dict.fromkeys(EVERYBODY, 404) | {"payer": 200, "stranger": 303}

PAGES = {
    "/": EVERYBODY,
    "/now": EVERYBODY,
    "/escrows": EVERYBODY,
    "/escrows?status=released&side=provider": EVERYBODY,
    "/escrows/list.csv": EVERYBODY,
    "/escrows/new": EVERYBODY,
    "/escrows/new?repeat={escrow}": PARTIES,
    "/escrows/split?amount=100": EVERYBODY,
    "/escrows/plans/new?task_id=x": EVERYBODY,
    "/escrows/plans/sum?parts-0-amount=5": EVERYBODY,
    "/escrows/plans/{plan}": PARTIES,
    f"/escrows/plans/{uuid.uuid4()}": NOWHERE,
    "/escrows/{escrow}": PARTIES,
    "/escrows/{escrow}/timeline?seen=active": PARTIES,
    "/escrows/{escrow}/offers": PARTIES,
    "/escrows/{escrow}/offers/split?share=5": PARTIES,
    f"/escrows/{uuid.uuid4()}": NOWHERE,
    "/disputes": dict.fromkeys(EVERYBODY, 403) | {"operator": 200, "arbiter": 200, "stranger": 303},
    "/disputes/statistics": EVERYBODY,
    "/operations/style": dict.fromkeys(EVERYBODY, 403) | {"operator": 200, "stranger": 303},
    "/escrows/{escrow}/dispute": NOWHERE,
    "/wallet": EVERYBODY,
    "/wallet/movements": EVERYBODY,
    "/wallet/statement": EVERYBODY,
    "/wallet?wallet={wallet}": OWNER,
    "/wallet/movements?wallet={wallet}": OWNER,
    "/wallet/statement?wallet={wallet}": OWNER,
    "/wallet/statement.json?wallet={wallet}": OWNER,
    "/wallet/payouts/{payout}": OWNER,
    "/wallet/payouts/{payout}/progress?seen=queued": OWNER,
    "/wallet/addresses": EVERYBODY,
    "/account/second-factor": EVERYBODY,
    "/fund": EVERYBODY,
    "/catalogue": EVERYBODY,
    "/catalogue?mine=yes&kind=image&text=x": EVERYBODY,
    "/catalogue/new": EVERYBODY,
    "/catalogue/{service}": EVERYBODY,
    "/catalogue/{retired}": dict.fromkeys(EVERYBODY, 404) | {"provider": 200, "stranger": 303},
    "/escrows/new?service={service}": EVERYBODY,
    "/network": EVERYBODY,
    "/network?mine=yes&health=offline": EVERYBODY,
    "/network/new": EVERYBODY,
    "/network/nodes/{node}": EVERYBODY,
    "/network/nodes/nobody": NOWHERE,
    "/notices": EVERYBODY,
    "/notices?unread=yes": EVERYBODY,
    "/notices/999999": NOWHERE,
}


@pytest.fixture
def escrow(session, services: Services, pair: Pair) -> Escrow:
    return make_escrow(session, services, pair)


@pytest.fixture
def payout(session, services: Services, pair: Pair) -> Payout:
    address = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
    return services.wallets(session).payouts.withdraw(pair.payer.wallet_id, address, Amount.parse(5))


@pytest.fixture
def node(session, services: Services, pair: Pair) -> Node:
    return make_node(session, services, pair.provider).node


@pytest.fixture
def plan(session, services: Services, pair: Pair) -> Plan:
    return (
        services.plans(session, pair.payer.actor)
        .create(
            pair.payer.wallet_id,
            pair.provider.wallet_id,
            "A film",
            [Milestone("Rough cut", "4"), Milestone("Film", "6")],
            service_name="video",
            task_id="film 7",
        )
        .plan
    )


@pytest.fixture
def catalogued(session, services: Services, pair: Pair) -> dict[str, int]:
    """The ids of a service that is offered and of one that no longer is."""
    catalogue, provider = services.catalogue(session), pair.provider
    made = {
        name: catalogue.offer(provider.actor, provider.wallet_id, name=name, kind="image").id
        for name in ("service", "retired")
    }
    catalogue.change(provider.actor, made["retired"], is_active=False)
    return made


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_every_page_opens_to_those_it_is_for_and_to_nobody_else(
    visitors: dict[str, Browser],
    escrow: Escrow,
    payout: Payout,
    plan: Plan,
    node: Node,
    catalogued: dict[str, int],
    pair: Pair,
    htmx: bool,
) -> None:
    for page, expected in PAGES.items():
        known = {
            "escrow": escrow.id,
            "payout": payout.id,
            "node": node.id,
            "wallet": pair.payer.wallet_id,
            "plan": plan.id,
        }
        path = page.format(**known, **catalogued)
        for name, status in expected.items():
            response = visitors[name].get(path, htmx=htmx)
            if htmx and name == "stranger":
                assert response.status_code == 401, (path, name)
            else:
                assert response.status_code == status, (path, name)
                if status == 303:
                    assert response.location.startswith("/login?next=")


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 5})
def test_what_a_page_is_drawn_with_does_not_count_against_its_reader(app: Flask) -> None:
    client = app.test_client()
    with app.test_request_context():
        style_sheet = static_url("site.css")

    for _ in range(10):
        with client.get(style_sheet) as response:
            assert response.status_code == 200
    assert [client.get("/login").status_code for _ in range(6)] == [200] * 5 + [429]
