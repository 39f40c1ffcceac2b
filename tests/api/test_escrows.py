"""An escrow's life over JSON: shapes, links, lists, conflicts, and metadata that stays what it was."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.api.conftest import World
from tests.support.people import RESULT_HASH
from webapp.blueprints.api.schemas import EscrowDocument
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount

FIELDS = [
    "id", "status", "amount", "provider_amount", "community_amount", "resolved_provider_amount",
    "resolved_community_amount", "refunded_amount", "plan_id", "part_number", "part_title", "payer_wallet_id",
    "provider_wallet_id", "service_name", "task_id",
    "metadata", "provider_node_id", "verifier_key_id", "expected_result_hash", "result_hash",
    "funding", "fund_by", "deposited_amount", "deposit_address", "payment_uri", "refund_address", "deposits",
    "terms", "accept_by", "expires_at", "created_at", "updated_at", "released_at", "refunded_at", "links",
]  # fmt: skip

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def test_an_escrow_from_its_creation_to_its_release(world: World) -> None:
    created = world.payer.post("/escrow/create", world.terms(metadata={"image_size": "1024x1024"}))
    assert created.status_code == 201
    escrow = created.json
    assert created.headers["Location"] == f"/escrow/{escrow['id']}" == escrow["links"]["self"]
    assert list(escrow) == FIELDS
    assert (escrow["status"], escrow["amount"]) == ("active", "100.00000000")
    assert (escrow["provider_amount"], escrow["community_amount"]) == ("95.00000000", "5.00000000")
    assert escrow["metadata"] == {"image_size": "1024x1024"}
    assert escrow["expires_at"].endswith("Z") and escrow["created_at"].endswith("Z")
    assert world.balances(world.pair.payer) == ("900.00000000", "100.00000000")

    seen = world.provider.get(escrow["links"]["self"]).json
    assert {**seen, "links": None} == {**escrow, "links": None}
    assert set(seen["links"]) == {"self", "transactions", "deliver", "refund", "dispute"}

    signature = sign_result(world.pair.key.secret, uuid.UUID(escrow["id"]), Amount.parse(100), RESULT_HASH)
    result = {"result_hash": RESULT_HASH.upper(), "provider_signature": signature}
    delivered = world.provider.post(seen["links"]["deliver"], result)
    assert (delivered.status_code, delivered.json["status"]) == (200, "delivered")
    assert delivered.json["result_hash"] == RESULT_HASH
    assert delivered.json["accept_by"] > delivered.json["updated_at"]

    links = world.payer.get(escrow["links"]["self"]).json["links"]
    assert set(links) == {"self", "transactions", "release", "dispute"}
    released = world.payer.post(links["release"])  # what was delivered need not be named again
    assert (released.status_code, released.json["status"]) == (200, "released")
    assert released.json["released_at"] and not released.json["refunded_at"]
    assert set(released.json["links"]) == {"self", "transactions"}
    assert world.balances(world.pair.payer) == ("900.00000000", "0.00000000")
    assert world.balances(world.pair.provider) == ("95.00000000", "0.00000000")

    events = world.payer.get(links["transactions"]).json
    assert [event["kind"] for event in events["items"]] == ["created", "delivered", "released"]
    assert events["next_cursor"] is None
    assert events["items"][1]["previous_hash"] == events["items"][0]["hash"]
    fund = world.payer.get("/community-fund/status").json
    assert (fund["current_balance"], fund["next_airdrop_trigger"]) == ("5.00000000", "95.00000000")
    assert (fund["total_collected"], fund["total_distributed"]) == ("5.00000000", "0.00000000")


def test_a_refund_gives_everything_back_and_a_second_one_tells_where_it_stands(world: World) -> None:
    path = f"/escrow/{world.escrow().id}/refund"
    refunded = world.provider.post(path, {"reason": "Task timeout"})
    assert (refunded.status_code, refunded.json["status"]) == (200, "refunded")
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")
    again = world.provider.post(path, {"reason": "Task timeout"})
    assert again.status_code == 409
    assert again.json["type"] == "urn:duxos:problem:escrow-state"
    assert again.json["current_status"] == "refunded"


def test_rights_are_those_of_the_rules(world: World) -> None:
    escrow = world.escrow()
    for program, action, body in (
        (world.provider, "release", world.result(escrow)),
        (world.payer, "deliver", world.result(escrow)),
        (world.payer, "refund", {"reason": "changed my mind"}),
    ):
        response = program.post(f"/escrow/{escrow.id}/{action}", body)
        assert (response.status_code, response.json["type"]) == (403, "urn:duxos:problem:permission-denied")
    wrong = world.result(escrow) | {"provider_signature": "0" * 64}
    response = world.payer.post(f"/escrow/{escrow.id}/release", wrong)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == ["provider_signature"]


def test_the_verifier_that_an_escrow_names_sees_lists_and_releases_it(world: World) -> None:
    escrow = world.escrow(verifier_key_id=world.foreigner.key.key_id)
    listed = world.foreigner.get("/escrow/list").json["items"]
    assert [item["id"] for item in listed] == [str(escrow.id)]
    assert set(listed[0]["links"]) == {"self", "transactions", "release", "refund"}
    released = world.foreigner.post(f"/escrow/{escrow.id}/release", world.result(escrow))
    assert released.json["status"] == "released"


def test_links_leave_out_what_the_key_has_no_scope_for(world: World) -> None:
    escrow = world.escrow()
    reader = world.program(world.pair.provider, ("escrow:read", "escrow:refund"))
    assert set(reader.get(f"/escrow/{escrow.id}").json["links"]) == {"self", "transactions", "refund"}


def test_too_little_money_is_told_and_nothing_is_locked(world: World) -> None:
    response = world.payer.post("/escrow/create", world.terms(amount="1000.00000001"))
    assert (response.status_code, response.json["type"]) == (409, "urn:duxos:problem:insufficient-funds")
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


def test_the_spend_limit_of_a_key_counts_escrows_and_withdrawals_together(world: World) -> None:
    program = world.program(world.pair.payer, spend_limit=Amount.parse("105"))
    assert program.post("/escrow/create", world.terms()).status_code == 201
    withdraw = f"/wallet/{world.pair.payer.wallet_id}/withdraw"
    over = program.post(withdraw, {"address": "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "amount": "5.00000001"})
    assert (over.status_code, over.json["type"]) == (403, "urn:duxos:problem:spend-limit")
    within = program.post(withdraw, {"address": "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "amount": "5"})
    assert within.status_code == 201
    assert program.post("/escrow/create", world.terms(amount="0.00000001")).status_code == 403


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {
            "text": "Grüße, 世界 🦆",
            "empty": "",
            "null": None,
            "yes": True,
            "nested": {"list": [1, [2, {"a": []}]]},
        },
        {"numbers": [0, -1, 1.5, 0.1, -2.5e-7, 1e300, 5e-324, 2**53 + 1, 10**40, 100.0, 1e2]},
        {"": "an empty name", "links": {"self": "mine"}, "amount": "1"},
    ],
)
def test_metadata_comes_back_as_it_was_sent(world: World, metadata: dict[str, Any]) -> None:
    created = world.payer.post("/escrow/create", world.terms(metadata=metadata))
    assert created.status_code == 201, created.text
    for answer in (created, world.provider.get(created.headers["Location"])):
        assert _exact(answer.data)["metadata"] == _exact(json.dumps(metadata))


def _exact(text: str | bytes) -> Any:
    """JSON with its numbers as what is written, so that 1e2 is 100 and neither is rounded."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@on_sqlite
@pytest.mark.parametrize("number", [b"0.12345678901234567891", b"1e400", b"1e-400", b"9007199254740993.5"])
def test_a_number_in_metadata_that_would_change_is_refused(world: World, number: bytes) -> None:
    body = json.dumps(world.terms(metadata={"x": "NUMBER"})).encode().replace(b'"NUMBER"', number)
    response = world.payer.post("/escrow/create", body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == ["metadata"]


def test_all_optional_terms_are_kept(world: World) -> None:
    node = world.services.node_auth(world.session).register_node(
        f"node-{uuid.uuid4()}", world.pair.provider.wallet_id
    )
    terms = {
        "provider_node_id": node.node.id,
        "verifier_key_id": world.foreigner.key.key_id,
        "expected_result_hash": "AB" * 32,
    }
    expires_at = "2026-01-31T12:00:00.5+02:00".replace("2026", str(_next_year()))
    created = world.payer.post("/escrow/create", world.terms(**terms, expires_at=expires_at))
    assert created.status_code == 201, created.text
    assert {name: created.json[name] for name in terms} == terms | {"expected_result_hash": "ab" * 32}
    assert created.json["expires_at"] == f"{_next_year()}-01-31T10:00:00.500000Z"


def _next_year() -> int:
    """The year of a January that lies in the next 365 days."""
    now = utcnow()
    return now.year if (now.month, now.day) < (1, 31) else now.year + 1


def test_lists_go_page_by_page_from_the_newest_and_each_escrow_comes_once(world: World) -> None:
    made = [str(world.escrow("1", expected_result_hash=None).id) for _ in range(7)]
    other = world.program(world.stranger)
    assert other.get("/escrow/list").json == {"items": [], "next_cursor": None}
    for program in (world.payer, world.provider):
        found: list[str] = []
        path, pages = "/escrow/list?limit=3", 0
        while path:
            page = program.get(path).json
            found += [item["id"] for item in page["items"]]
            pages += 1
            path = f"/escrow/list?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        assert (found, pages) == (made[::-1], 3)
        assert EscrowDocument.model_validate(page["items"][0])


def test_lists_are_filtered(world: World) -> None:
    first, second = world.escrow("1"), world.escrow("2")
    world.provider.post(f"/escrow/{first.id}/refund", {"reason": "no"})
    wallet_id = world.pair.provider.wallet_id

    def ids(query: str) -> list[str]:
        return [item["id"] for item in world.provider.get(f"/escrow/list?{query}").json["items"]]

    assert ids("status=refunded") == [str(first.id)]
    assert ids("status=active") == [str(second.id)]
    assert ids(f"wallet_id={wallet_id}&service_name=image_upscaler_v1") == [str(second.id), str(first.id)]
    assert ids("service_name=other") == []
    assert ids("sort=amount") == [str(second.id), str(first.id)]
    assert ids("sort=oldest&side=provider&created_from=2020-01-01") == [str(first.id), str(second.id)]
    assert ids("side=payer") == ids("created_to=2020-01-01") == ids("text=elsewhere") == []
    assert ids(f"text={second.id}") == ids(f"text={second.task_id.upper()}") == [str(second.id)]
    page = world.provider.get("/escrow/list?sort=deadline&limit=1").json
    # One that has ended has no deadline any more, and comes last.
    assert [item["id"] for item in page["items"]] == [str(second.id)]
    assert ids(f"sort=deadline&cursor={page['next_cursor']}") == [str(first.id)]


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("wallet_id=x", "wallet_id"),
        ("cursor=garbage", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("service_name=%00", "service_name"),
        ("page=2", "page"),
        ("side=verifier", "side"),
        ("sort=size", "sort"),
        ("sort=amount&cursor=MDE5OGMzZjItNmMxZS03YmIwLTlkNWUtM2YyYTlhNDFiYzA3", "cursor"),
        ("text=%00", "text"),
        ("created_from=0", "created_from"),
        ("created_to=2030-02-30", "created_to"),
        ("created_from=2030-01-02&created_to=2030-01-01", "created_to"),
    ],
)
def test_a_wrong_filter_is_named(world: World, query: str, field: str) -> None:
    response = world.payer.get(f"/escrow/list?{query}")
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json["errors"]] == [field]


@pytest.mark.parametrize(
    "name", ["nothing", "0", "0198c3f2-6c1e-7bb0-9d5e-3f2a9a41bc07", "%00", "a%20b", "9" * 200]
)
def test_an_id_that_leads_nowhere_is_not_found(world: World, name: str) -> None:
    for path in (f"/escrow/{name}", f"/escrow/{name}/transactions", f"/payout/{name}"):
        response = world.payer.get(path)
        assert (response.status_code, response.json["type"]) == (404, "urn:duxos:problem:not-found"), path
    for wallet_id in ("0", "999999", "9" * 40):
        assert world.payer.get(f"/wallet/{wallet_id}").status_code == 404
