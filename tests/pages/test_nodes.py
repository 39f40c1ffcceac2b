"""Nodes in the browser: found, registered, changed, given new secrets, suspended; and who sees what of them."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.support.browsing import Browser
from tests.support.money import fill_fund
from tests.support.people import Pair, make_node
from tests.support.serving import serving
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Node, NodeDay, NodeHeartbeat, OperatorAction, SigningKey
from webapp.services.airdrops import book
from webapp.services.airdrops.book import Recipient
from webapp.services.container import Services
from webapp.services.nodes.heartbeats import beat
from webapp.services.unit_of_work import unit_of_work

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
LONGEST_ID = "n" + 63 * "x"


def _terms(pair: Pair, **over: object) -> dict[str, object]:
    return {
        "node_id": "render-07.berlin",
        "wallet_id": pair.provider.wallet_id,
        "region": "eu-west",
        "capabilities": "GPU, image_upscaler_v1,, gpu",
        "version": "1.4.0",
        "airdrop_to": "chain",
        "airdrop_address": ADDRESS,
    } | over


@pytest.fixture
def node(session, services: Services, pair: Pair) -> Node:
    """A node of the provider, with an address of its own, that has just spoken."""
    found = services.node_registry(session).register(
        pair.provider.actor,
        "farm:1",
        pair.provider.wallet_id,
        region="eu-west",
        capabilities=["gpu"],
        airdrop_to="chain",
        airdrop_address=ADDRESS,
    )
    beat(
        session,
        services.settings,
        "farm:1",
        load=430,
        tasks_running=3,
        version="2.0",
        at=utcnow(),
    )
    return found.node


def _now(session, node_id: str) -> Node:
    session.rollback()
    return session.get_one(Node, node_id, populate_existing=True)


def _listed(page: str) -> list[str]:
    return re.findall(r'<a class="node-id" href="/network/nodes/([^"]+)"', page)


@both_ways
def test_a_node_is_registered_and_its_secret_shown_this_once(
    provider: Browser, pair: Pair, session, htmx: bool
) -> None:
    response = provider.post("/network/new", _terms(pair), htmx=htmx)

    key = session.scalars(select(SigningKey).where(SigningKey.node_id == "render-07.berlin")).one()
    assert response.status_code == 201
    assert ("<!doctype html>" in response.text) is not htmx
    assert key.id in response.text
    assert "It is shown this once" in response.text
    made = _now(session, "render-07.berlin")
    assert [each.name for each in made.capabilities] == ["gpu", "image_upscaler_v1"]
    assert (made.wallet_id, made.region, made.airdrop_address) == (
        pair.provider.wallet_id,
        "eu-west",
        ADDRESS,
    )
    assert "It is shown this once" not in provider.get("/network/nodes/render-07.berlin").text


def test_the_example_on_the_page_is_what_a_node_does(
    app: Flask, provider: Browser, pair: Pair, session, monkeypatch, capsys
) -> None:
    page = provider.post("/network/new", _terms(pair)).text
    secret = re.search(r"<dt>Secret</dt>.*?<code>([^<]+)</code>", page, re.DOTALL)
    example = re.search(r'<pre class="example"[^>]*><code>(.*?)</code></pre>', page, re.DOTALL)
    assert secret and example
    monkeypatch.setenv("NODE_SECRET", secret.group(1))
    with serving(app) as address:
        program = html.unescape(example.group(1)).replace("http://localhost", address)
        exec(program, {})  # noqa: S102  (it is our own page)

    assert capsys.readouterr().out.startswith("200 ")
    assert _now(session, "render-07.berlin").verified_at is not None
    assert 'data-state="healthy"' in provider.get("/network/nodes/render-07.berlin").text


REFUSED = (
    ({"node_id": ""}, "Give the node an id"),
    ({"node_id": "a b"}, "node_id-error"),
    ({"node_id": LONGEST_ID + "x"}, "node_id-error"),
    ({"node_id": "farm:1"}, "A node with this id is registered"),
    ({"wallet_id": "999999"}, "Please check what was entered"),
    ({"region": "x" * 33}, "region-error"),
    ({"version": "1\u202e2"}, "version-error"),
    ({"capabilities": "gpu, two words"}, "capabilities-error"),
    ({"airdrop_to": "elsewhere"}, "Please check what was entered"),
    ({"airdrop_address": "nonsense"}, "airdrop_address-error"),
)


@both_ways
def test_what_cannot_be_is_refused_beside_its_field_and_what_was_typed_stays(
    provider: Browser, node: Node, pair: Pair, session, htmx: bool
) -> None:
    for over, message in REFUSED:
        response = provider.post("/network/new", _terms(pair, **over), htmx=htmx)

        assert response.status_code == 422, over
        assert ("<!doctype html>" in response.text) is not htmx
        assert message in response.text, over
        assert 'value="1.4.0"' in response.text or "version" in over
    session.rollback()
    assert session.scalars(select(Node.id)).all() == ["farm:1"]


def test_nobody_registers_a_node_for_somebody_elses_wallet(payer: Browser, pair: Pair, session) -> None:
    assert payer.post("/network/new", _terms(pair)).status_code == 422
    assert session.scalars(select(Node)).first() is None


def test_the_list_is_narrowed_by_what_one_looks_for(
    visitors: dict[str, Browser], node: Node, pair: Pair, session, services: Services
) -> None:
    registry = services.node_registry(session)
    payers = pair.payer
    registry.register(payers.actor, "barn-2", payers.wallet_id, region="us-east", capabilities=["cpu"])
    registry.register(payers.actor, LONGEST_ID, payers.wallet_id, capabilities=["gpu"])
    provider, operator = visitors["provider"], visitors["operator"]

    def found(**sought: str) -> list[str]:
        return _listed(provider.get("/network", query_string=sought).text)

    assert found() == ["barn-2", "farm:1", LONGEST_ID]
    assert found(text="AR") == ["barn-2", "farm:1"]
    assert found(capability="gpu") == ["farm:1", LONGEST_ID]
    assert found(capability="gpu", region="eu-west") == ["farm:1"]
    assert found(health="healthy") == ["farm:1"]
    assert found(health="offline", status="active") == ["barn-2", LONGEST_ID]
    assert found(status="suspended") == []
    assert found(mine="yes") == ["farm:1"]
    assert "No node is like that" in provider.get("/network?region=mars").text
    assert "You have no nodes yet" in operator.get("/network?mine=yes").text
    assert provider.get("/network?health=fine").status_code == 422
    wrong = provider.get("/network", query_string={"text": "x" * 65, "capability": "gpu"}, htmx=True)
    assert (wrong.status_code, "text-error" in wrong.text, 'value="gpu"' in wrong.text) == (422, True, True)


def test_a_search_stays_in_the_address_of_every_page(
    provider: Browser, pair: Pair, session, services: Services, count_queries: Callable[..., int]
) -> None:
    registry = services.node_registry(session)

    def add(numbers: range) -> None:
        for number in numbers:
            registry.register(pair.payer.actor, f"n-{number:02}", pair.payer.wallet_id, region="eu")

    add(range(2))
    few = count_queries(lambda: provider.get("/network?region=eu"))
    add(range(2, 25))
    assert count_queries(lambda: provider.get("/network?region=eu")) == few

    first = provider.get("/network?region=eu&health=offline", htmx=True).text
    assert len(_listed(first)) == 20
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link
    assert {"region=eu", "health=offline"} <= set(html.unescape(link.group(1)).split("?")[1].split("&"))
    second = provider.get(html.unescape(link.group(1))).text
    assert _listed(second) == [f"n-{number:02}" for number in range(20, 25)]
    assert "First page" in second


def test_what_is_the_owners_own_affair_is_for_the_owner_and_operators(
    visitors: dict[str, Browser], node: Node, pair: Pair, session, services: Services
) -> None:
    reason = "sends results of others"
    operator = visitors["operator"]
    operator.post("/network/nodes/farm:1/suspend", {"reason": reason, "idempotency_key": uuid.uuid4().hex})
    key = session.scalars(select(SigningKey.id).where(SigningKey.node_id == "farm:1")).one()
    private = (ADDRESS, key, reason, "43\u00a0%", "3 tasks")

    for name in ("provider", "operator"):
        page = visitors[name].get("/network/nodes/farm:1").text
        assert [each for each in private if each not in page] == [], name
        assert "load 43\u00a0%, 3 tasks" in visitors[name].get("/network").text
    for name in ("payer", "other", "arbiter"):
        paths = ("/network/nodes/farm:1", "/network/nodes/farm:1/health", "/network")
        page = "".join(visitors[name].get(path, htmx="health" in path).text for path in paths)
        assert [each for each in (*private, "For operators", "Secrets") if each in page] == [], name
        assert "An operator has suspended this node" in page
    assert "What operators did" not in visitors["provider"].get("/network/nodes/farm:1").text


@both_ways
def test_the_owner_changes_what_is_said_of_a_node(
    provider: Browser, node: Node, pair: Pair, session, htmx: bool
) -> None:
    said = {"region": "mars", "version": "3", "capabilities": "cpu", "airdrop_to": "balance"}
    response = provider.post("/network/nodes/farm:1", said, htmx=htmx)

    assert response.status_code == (200 if htmx else 303)
    changed = _now(session, "farm:1")
    assert (changed.region, changed.airdrop_to, changed.airdrop_address) == ("mars", "balance", ADDRESS)
    assert [each.name for each in changed.capabilities] == ["cpu"]

    wrong = said | {"airdrop_to": "chain", "airdrop_address": "nowhere", "region": "moon"}
    refused = provider.post("/network/nodes/farm:1", wrong, htmx=htmx)
    assert (refused.status_code, "airdrop_address-error" in refused.text) == (422, True)
    assert 'value="moon"' in refused.text
    assert _now(session, "farm:1").region == "mars"


def test_what_a_node_is_told_by_others_than_its_owner_is_not_heard(
    visitors: dict[str, Browser], node: Node, session
) -> None:
    key = session.scalars(select(SigningKey).where(SigningKey.node_id == "farm:1")).one()

    for deed in ("", "/secret", f"/keys/{key.id}/revoke"):
        path = f"/network/nodes/farm:1{deed}"
        for name in ("payer", "other", "operator", "arbiter"):
            assert visitors[name].post(path, {"region": "mars", "airdrop_to": "balance"}).status_code == 404
        assert visitors["stranger"].post(path).status_code == 303
        assert visitors["provider"].post(path, token="").status_code == 400
        assert visitors["provider"].post(path.replace("farm:1", "nobody")).status_code == 404
    session.expire_all()
    assert (_now(session, "farm:1").region, key.revoked_at, key.expires_at) == ("eu-west", None, None)


@both_ways
def test_a_new_secret_is_shown_once_and_the_old_one_works_on_until_it_is_revoked(
    provider: Browser, node: Node, session, htmx: bool
) -> None:
    old = session.scalars(select(SigningKey).where(SigningKey.node_id == "farm:1")).one()
    response = provider.post("/network/nodes/farm:1/secret", htmx=htmx)

    assert (response.status_code, "new secret" in response.text) == (201, True)
    session.rollback()
    keys = session.scalars(select(SigningKey).where(SigningKey.node_id == "farm:1")).all()
    new = next(key for key in keys if key.id != old.id)
    assert new.id in response.text
    session.refresh(old)
    assert old.is_usable(utcnow() + timedelta(hours=23))
    assert not old.is_usable(utcnow() + timedelta(hours=25))
    assert "this once" not in provider.get("/network/nodes/farm:1").text

    provider.post(f"/network/nodes/farm:1/keys/{old.id}/revoke", htmx=htmx)
    session.rollback()
    session.refresh(old)
    assert old.revoked_at is not None
    assert 'data-state="revoked"' in provider.get("/network/nodes/farm:1").text

    answers = [provider.post("/network/nodes/farm:1/secret", htmx=htmx) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]


@both_ways
def test_an_operator_suspends_a_node_and_lets_it_come_back(
    visitors: dict[str, Browser], node: Node, session, services: Services, htmx: bool
) -> None:
    operator = visitors["operator"]

    def press(deed: str, **fields: object):
        data = {"idempotency_key": uuid.uuid4().hex, "reason": "sends results of others"} | fields
        return operator.post(f"/network/nodes/farm:1/{deed}", data, htmx=htmx)

    for name in ("payer", "provider", "arbiter"):
        assert visitors[name].post("/network/nodes/farm:1/suspend", {"reason": "no"}).status_code == 403
    assert visitors["stranger"].post("/network/nodes/farm:1/suspend").status_code == 303
    without = press("suspend", reason=" ")
    assert (without.status_code, "Say why" in without.text) == (422, True)
    assert press("reinstate").status_code == 409

    button = uuid.uuid4().hex
    done = (200, 200) if htmx else (303, 303)
    assert tuple(press("suspend", idempotency_key=button).status_code for _ in range(2)) == done
    again = press("suspend")
    assert (again.status_code, "Nothing was changed" in again.text) == (409, True)
    assert _now(session, "farm:1").status == "suspended"
    page = operator.get("/network/nodes/farm:1").text
    assert page.count('<div class="timeline-title">Suspended') == 1

    assert press("reinstate", reason="explained itself").status_code == done[0]
    assert _now(session, "farm:1").status == "active"
    actions = session.scalars(select(OperatorAction.action).where(OperatorAction.subject == "node:farm:1"))
    assert actions.all() == ["suspend_node", "reinstate_node"]
    assert (
        operator.post("/network/nodes/nobody/suspend", {"reason": "x", "idempotency_key": button}).status_code
        == 404
    )


@pytest.mark.settings(community_fund={"waiting_period_hours": 48})
def test_a_node_is_told_what_it_lacks_for_an_airdrop_and_what_to_do(
    provider: Browser, payer: Browser, pair: Pair, session, services: Services
) -> None:
    made = make_node(session, services, pair.provider).node
    with unit_of_work(session):
        session.execute(update(Node).where(Node.id == made.id).values(airdrop_to="chain"))
    page = payer.get(f"/network/nodes/{made.id}").text
    for fact in (
        "has not proved yet that it has its secret",
        "is offline",
        "has not been registered for long enough",
        "has not done enough work that was paid for",
        "has no address that can be paid",
    ):
        assert fact in page
    assert "So far: 0, holding 0.00" in page
    assert "in 1 day" in page  # 48 hours, less what has passed

    day = {"node_id": made.id, "day": utcnow().date(), "released": 3, "released_amount": Amount.parse(60)}
    with unit_of_work(session):
        beat(session, services.settings, made.id, load=0, tasks_running=0, version="", at=utcnow())
        session.add(NodeDay(**day))
        values = {"airdrop_to": "balance", "registered_at": utcnow() - timedelta(days=3)}
        session.execute(update(Node).where(Node.id == made.id).values(**values))
    assert "The node may take part" in payer.get(f"/network/nodes/{made.id}").text


def test_the_page_explains_a_reputation_by_its_weeks_and_lists_the_shares_of_airdrops(
    payer: Browser, node: Node, pair: Pair, session, services: Services, count_queries: Callable[..., int]
) -> None:
    path = "/network/nodes/farm:1"
    assert "None of its escrows has ended so far." in payer.get(path).text
    before = count_queries(lambda: payer.get(path))
    monday = utcnow().date() - timedelta(days=utcnow().weekday())
    outcomes = {"released": 2, "released_amount": Amount.parse("12.5"), "refunded": 1}
    with unit_of_work(session):
        for back in (7, 6, 14):
            day = monday - timedelta(days=back)
            session.add(NodeDay(node_id="farm:1", day=day, **outcomes, late=back % 2, disputes_lost=0))
    numbers = [_airdrop(session, services, pair) for _ in range(3)]

    page = payer.get(path).text
    rows = re.findall(r'data-label="(Released|Refunded|Late)"[^>]*><div>(\d+)', page)
    assert rows == [
        ("Released", "4"),
        ("Refunded", "2"),
        ("Late", "1"),
        ("Released", "2"),
        ("Refunded", "1"),
        ("Late", "0"),
    ]
    assert 'value="25.00000000"' in page  # what the week's releases held
    assert re.findall(r">No. (\d+)</a>", page) == [str(number) for number in reversed(numbers)]
    assert page.count('data-state="share_credited"') == 3
    assert count_queries(lambda: payer.get(path)) <= before


def _airdrop(session, services: Services, pair: Pair) -> int:
    """An airdrop of 5 FLOP to the node's balance; its number."""
    airdrop_id = uuid.uuid4()
    fill_fund(session, "5")
    with unit_of_work(session):
        stored = book.store(
            session,
            airdrop_id=airdrop_id,
            number=book.next_number(session),
            kind="manual",
            requested_by="user:1",
            reason="for the test",
            balance=Amount.parse(5),
            block_height=0,
            document="{}",
            recipients=[Recipient("farm:1", Amount.parse(5), pair.provider.wallet_id, "balance", None)],
        )
        assert stored
        return book.post(session, services.settings, airdrop_id).number


def test_a_silent_node_grows_late_and_then_offline(
    provider: Browser, node: Node, session, services: Services
) -> None:
    for seconds, word in ((60, "healthy"), (100, "node_late"), (301, "offline")):
        with unit_of_work(session):
            session.execute(update(NodeHeartbeat).values(last_beat_at=utcnow() - timedelta(seconds=seconds)))
        for path in ("/network", "/network/nodes/farm:1"):
            assert f'data-state="{word}"' in provider.get(path).text
        asked = provider.get("/network/nodes/farm:1/health", htmx=True).text
        assert f'data-state="{word}"' in asked and 'hx-trigger="sse:again, poll-15' in asked
    assert provider.get("/network/nodes/farm:1/health").location == "/network/nodes/farm:1"


@pytest.mark.settings(nodes={"directory_url": "http://127.0.0.1:1", "directory_timeout": 1})
def test_nobody_guesses_about_an_airdrop_while_the_registry_is_out_of_reach(
    payer: Browser, node: Node
) -> None:
    response = payer.get("/network/nodes/farm:1")

    assert (response.status_code, "Nobody can tell at present" in response.text) == (200, True)
    assert "The node may take part" not in response.text
