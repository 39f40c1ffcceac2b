"""The fund over JSON: its figures, its airdrops with recipients and snapshots; open to anybody when it is public."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import timedelta

import pytest
from sqlalchemy import insert

from tests.api.conftest import World
from tests.support.airdrops import airdrops, chain_was_read, fill_fund, let_time_pass, make_nodes
from tests.support.people import RESULT_HASH, make_person
from webapp.domain.airdrops import decide, published
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.money import Amount
from webapp.models import Airdrop, CommunityFund
from webapp.services import fund_rules
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.airdrops.run import AirdropRun
from webapp.services.unit_of_work import unit_of_work

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def recorded(world: World, days: int, collected: str) -> None:
    """An hourly record so many days and an hour ago."""
    rules = fund_rules.configured(world.services.settings)
    names = ("airdrop_threshold", "min_airdrop_amount", "airdrop_interval_hours", "max_airdrop_nodes")
    values = {name: getattr(rules, name) for name in names}
    values |= {"recorded_at": utcnow() - timedelta(days=days, hours=1), "balance": Amount.parse(collected)}
    values |= {"total_collected": Amount.parse(collected), "total_distributed": Amount(0)}
    with unit_of_work(world.session):
        world.session.execute(insert(CommunityFund), [values])


def give(world: World, owners: int, amount: str) -> Airdrop:
    """An automatic airdrop to a new node of each of so many owners."""
    wallets = [make_person(world.session, world.services, "provider").wallet_id for _ in range(owners)]
    make_nodes(world.session, wallets)
    fill_fund(world.session, amount)
    chain_was_read(world.session)
    AirdropRun(world.session, world.services.settings).run()
    return airdrops(world.session)[-1]


class TestStatus:
    """What `GET /community-fund/status` tells as the fund goes on."""

    def test_it_follows_the_fund_from_empty_to_given_back(self, world: World) -> None:
        empty = world.payer.get("/community-fund/status").json
        assert empty["next_airdrop_trigger"] == empty["airdrop_threshold"] == "100.00000000"
        nothing = {"last_airdrop_at": None, "last_airdrop_amount": None, "next_airdrop_at": None}
        nothing |= {"progress": 0, "airdrops": 0, "recipients": 0, "is_airdrop_due": False}
        nothing |= {"blocked_reason": None, "is_airdrop_under_way": False, "pending_rule_changes": []}
        assert {key: empty[key] for key in nothing} == nothing
        assert empty["rules"] == fund_rules.configured(world.services.settings).as_document()

        fill_fund(world.session, "61.99999999")
        recorded(world, 10, "11.5")
        recorded(world, 3, "40")
        recorded(world, 1, "60")
        part = world.payer.get("/community-fund/status").json
        assert (part["progress"], part["next_airdrop_trigger"]) == (61, "38.00000001")
        assert (part["recent_24h_collected"], part["recent_7d_collected"]) == ("1.99999999", "50.49999999")

        given = give(world, 3, "60")
        status = world.payer.get("/community-fund/status").json
        assert status["current_balance"] == str(given.balance - given.total) == "0.00000001"
        assert (status["airdrops"], status["recipients"]) == (1, 3)
        assert status["last_airdrop_amount"] == status["total_distributed"] == "121.99999998"
        assert status["last_airdrop_at"] == to_rfc3339(given.posted_at)
        assert given.posted_at is not None
        assert status["next_airdrop_at"] == to_rfc3339(given.posted_at + timedelta(hours=24))

    def test_an_airdrop_by_hand_counts_but_does_not_move_the_next_one(self, world: World) -> None:
        first = give(world, 2, "100")
        let_time_pass(world.session, hours=5)
        before = world.payer.get("/community-fund/status").json
        operator = make_person(world.session, world.services, "operator")
        (node,) = make_nodes(world.session, [world.pair.provider.wallet_id])
        fill_fund(world.session, "150")
        by_hand = ManualAirdrops(world.session, world.services.settings, operator.actor)
        by_hand.give([node], amount_per_node="7", reason="For the outage")
        world.session.commit()
        status = world.payer.get("/community-fund/status").json

        assert first.posted_at is not None
        assert (status["airdrops"], status["recipients"], status["last_airdrop_amount"]) == (
            2,
            3,
            "7.00000000",
        )
        assert status["next_airdrop_at"] == before["next_airdrop_at"]
        assert status["progress"] == 100
        assert (status["next_airdrop_trigger"], status["is_airdrop_due"]) == ("0.00000000", False)

    @pytest.mark.settings(community_fund={"airdrop_threshold": "50", "rule_notice_hours": 0})
    def test_the_rules_in_force_decide_and_not_the_settings(self, world: World) -> None:
        operator = make_person(world.session, world.services, "operator")
        settings = world.services.settings
        fund_rules.propose(
            world.session, settings, operator.actor, {"airdrop_threshold": "400"}, "Fees have risen"
        )
        fill_fund(world.session, "100")
        status = world.payer.get("/community-fund/status").json

        assert (status["airdrop_threshold"], status["next_airdrop_trigger"]) == (
            "400.00000000",
            "300.00000000",
        )
        assert (status["progress"], status["is_airdrop_due"]) == (25, False)
        assert status["rules"]["airdrop_threshold"] == "400.00000000"


@ON_SQLITE
def test_rule_changes_are_told_before_they_hold(world: World) -> None:
    operator = make_person(world.session, world.services, "operator")
    change = fund_rules.propose(
        world.session, world.services.settings, operator.actor, {"max_airdrop_nodes": "50"}, "A trial"
    )
    (told,) = world.payer.get("/community-fund/status").json["pending_rule_changes"]

    assert told == {
        "id": change.id,
        "decided_at": to_rfc3339(change.decided_at),
        "effective_at": to_rfc3339(change.effective_at),
        "reason": "A trial",
        "changes": [{"rule": "max_airdrop_nodes", "old": "1000", "new": "50"}],
    }


@ON_SQLITE
def test_airdrops_are_listed_and_read_with_their_recipients_and_snapshot(world: World) -> None:
    first = give(world, 5, "100")
    let_time_pass(world.session, days=2)
    second = give(world, 2, "100")
    page = world.payer.get("/community-fund/airdrops?limit=1").json
    rest = world.payer.get(f"/community-fund/airdrops?limit=1&cursor={page['next_cursor']}").json
    links = rest["items"][0]["links"]
    one = world.payer.get(links["self"]).json

    assert [each["number"] for each in (*page["items"], *rest["items"])] == [second.number, first.number]
    assert rest["next_cursor"] is None
    assert one == rest["items"][0]
    assert (one["id"], one["kind"], one["status"], one["total"]) == (
        str(first.id),
        "automatic",
        "done",
        "100.00000000",
    )

    shares = []
    cursor = ""
    while cursor is not None:
        found = world.payer.get(f"{links['recipients']}?limit=2&cursor={cursor}").json
        shares += found["items"]
        cursor = found["next_cursor"]
    assert [each["position"] for each in shares] == [1, 2, 3, 4, 5]
    assert {(each["status"], each["pay_to"], each["txid"]) for each in shares} == {
        ("credited", "balance", None)
    }

    answer = world.payer.get(links["snapshot"])
    assert hashlib.sha256(answer.data).hexdigest() == one["snapshot_hash"]
    assert answer.headers["ETag"] == f'"{one["snapshot_hash"]}"'
    assert answer.mimetype == "application/json"
    digest = answer.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")
    assert b64decode(digest).hex() == one["snapshot_hash"]
    read = published.read(answer.text)
    assert read.document().encode() == answer.data
    decided = decide(read, one["snapshot_hash"])
    assert [(each["node_id"], each["amount"]) for each in shares] == [
        (share.node_id, str(share.amount)) for share in decided.shares
    ]


@ON_SQLITE
def test_what_is_not_there_and_what_makes_no_sense_is_told(world: World) -> None:
    unknown = "/community-fund/airdrops/0198c3f9-1f07-7ac3-8a51-6b0d8e2f4c11"
    for path in (unknown, "/community-fund/airdrops/7", f"{unknown}/recipients", f"{unknown}/snapshot"):
        assert world.payer.get(path).status_code == 404, path
    for query in ("limit=0", "limit=101", "cursor=x", "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "size=3"):
        assert world.payer.get(f"/community-fund/airdrops?{query}").status_code == 422, query


READS = ("status", "airdrops", "airdrops/{id}", "airdrops/{id}/recipients", "airdrops/{id}/snapshot")


@ON_SQLITE
@pytest.mark.settings(community_fund={"is_public": True})
def test_a_public_fund_answers_without_a_signature_and_names_nobody(world: World) -> None:
    given = give(world, 2, "100")
    anybody = world.app.test_client()

    for path in READS:
        response = anybody.get(f"/community-fund/{path}".format(id=given.id))
        assert response.status_code == 200, path
        document = json.loads(response.data)
        assert "wallet" not in response.text.replace("min_settled", "")
        assert "address" not in response.text
        assert "requested_by" not in document
    signed = world.payer.get("/community-fund/status")
    assert signed.status_code == 200
    refused = anybody.post("/community-fund/airdrop", json={"node_ids": [RESULT_HASH]})
    assert refused.status_code == 401


@ON_SQLITE
def test_a_fund_that_is_not_public_needs_a_signature(world: World) -> None:
    given = give(world, 1, "100")
    for path in READS:
        response = world.app.test_client().get(f"/community-fund/{path}".format(id=given.id))
        assert response.status_code == 401, path
