"""The hot path is only a quicker way: everything it does, and all that it answers, is as without it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from tests.api.both_ways import Teller, differences, tell
from tests.api.conftest import ADDRESS, World
from tests.support.databases import Databases
from tests.support.people import RESULT_HASH, make_node
from tests.support.signing import Program
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.money import Amount
from webapp.models import Wallet
from webapp.services.unit_of_work import unit_of_work


def usual(teller: Teller) -> None:
    """What the hot path is for."""
    world, payer, provider = teller.world, teller.world.payer, teller.world.provider
    for number, more in enumerate(
        (
            {},
            {"metadata": {"z": [1, 2.5, {"ö": "🦆"}], "a": None, "": True, "large": 10**400, "e": 1e300}},
            {"expected_result_hash": RESULT_HASH.upper(), "service_name": "  padded  "},
            {"expires_at": to_rfc3339(utcnow() + timedelta(hours=30))},
            {"metadata": {}},
        )
    ):
        key = None if number % 2 else f"create {number}"
        made = teller.express(payer, "/escrow/create", world.terms(amount="10", **more), idempotency_key=key)
        path = f"/escrow/{made['id']}"
        if number % 3:
            teller.express(provider, f"{path}/deliver", teller.result(path), idempotency_key=key)
            body = (None, {}, teller.result(path))[number % 3]
            teller.express(payer, f"{path}/release", body, idempotency_key=key and path[:50])
        else:
            loud = {name: text.upper() for name, text in teller.result(path).items()}
            teller.express(payer, f"{path}/release", loud, idempotency_key=key and path[:50])
        if key:
            again = teller.other(
                payer, "/escrow/create", world.terms(amount="10", **more), 201, idempotency_key=key
            )
            assert again == made
            teller.other(payer, "/escrow/create", world.terms(amount="11"), 422, idempotency_key=key)
    # So little that the fund gets nothing of it, and the largest share.
    tiny = teller.escrow("0.00000001")
    teller.express(payer, f"{tiny}/release", teller.result(tiny, "0.00000001"))
    for delivered in (False, True):
        path = teller.escrow()
        if delivered:
            teller.express(provider, f"{path}/deliver", teller.result(path))
        teller.express(provider, f"{path}/refund", {"reason": " Late\nand sorry "}, idempotency_key=path[:50])


def others(teller: Teller) -> None:
    """The same by a node, a verifier, and keys that took the place of others; with a service and a plan."""
    world, payer, provider = teller.world, teller.world.payer, teller.world.provider
    node = make_node(world.session, world.services, world.pair.provider)
    worker = Program(world.app, node.key)
    path = teller.escrow()
    teller.express(worker, f"{path}/deliver", teller.result(path, secret=node.key.secret))
    teller.express(payer, f"{path}/release")
    verified = {"verifier_key_id": world.foreigner.key.key_id, "provider_node_id": node.node.id}
    for ending in ("release", "refund"):
        made = teller.ordinary(payer, "/escrow/create", world.terms(**verified), 201)
        path = f"/escrow/{made['id']}"
        signed = teller.result(path, "100", node.key.secret)
        if ending == "refund":
            teller.express(worker, f"{path}/deliver", signed)
            teller.express(world.foreigner, f"{path}/refund", {"reason": "Blurred"})
        else:
            teller.ordinary(world.foreigner, f"{path}/release", teller.result(path, "100"), 422)
            teller.express(world.foreigner, f"{path}/release", signed)
    keys = world.services.signing_keys(world.session)
    renewed = Program(world.app, keys.rotate(payer.key.key_id, timedelta(hours=1)))
    made = teller.express(renewed, "/escrow/create", world.terms(), idempotency_key="both")
    assert teller.other(payer, "/escrow/create", world.terms(), 201, idempotency_key="both") == made
    service = {"name": "hashes", "kind": "hash", "limits": {}, "acceptance_hours": 100}
    teller.other(provider, "/services", service, 201)
    made = teller.ordinary(payer, "/escrow/create", world.terms(amount="10", service_name=" hashes "), 201)
    path = f"/escrow/{made['id']}"
    teller.express(provider, f"{path}/deliver", teller.result(path))
    teller.express(payer, f"{path}/release")
    parts = [{"title": f"Part {number}", "amount": "2"} for number in (1, 2)]
    plan = {**world.terms(amount="4"), "title": "A film", "milestones": parts}
    first, second = (
        f"/escrow/{part['id']}" for part in teller.other(payer, "/escrow/plans", plan, 201)["parts"]
    )
    teller.express(provider, f"{first}/deliver", teller.result(first, "2"))
    teller.express(payer, f"{first}/release")
    teller.express(provider, f"{second}/refund", {"reason": "Rain"})


def refused(teller: Teller) -> None:
    """What nobody may do, and what is not possible."""
    world, payer, provider = teller.world, teller.world.payer, teller.world.provider
    new = "/escrow/create"
    for status, terms in (
        (422, {"provider_wallet_id": 99_999}),
        (422, {"provider_wallet_id": world.pair.payer.wallet_id}),
        (403, {"payer_wallet_id": world.stranger.wallet_id}),
        (403, {"payer_wallet_id": 99_999}),
        (409, {"amount": "1000.00000001"}),
        (422, {"amount": "0"}),
        (422, {"amount": "1e9", "task_id": " "}),
        (422, {"terms": {}}),
        (422, {"expires_at": "2029-01-01T00:00:00Z"}),
        (422, {"expected_result_hash": "ab"}),
        (422, {"metadata": {"zero": "\0"}}),
        (422, {"fund_by": "2030-01-01T13:00:00Z"}),
        (422, {"refund_address": ADDRESS}),
        (422, {"verifier_key_id": provider.key.key_id}),
        (422, {"provider_node_id": "nobody"}),
    ):
        teller.ordinary(payer, new, world.terms(**terms), status, idempotency_key=str(terms)[:99])
    teller.other(payer, new, world.terms(amount=True), 422)
    teller.other(payer, new, world.terms(metadata={"half": "\ud800"}), 400)
    path = teller.escrow()
    right = teller.result(path)
    wrong = right | {"provider_signature": "0" * 64}
    for program, move, body, status in (
        (provider, "deliver", wrong, 422),
        (provider, "deliver", right | {"result_hash": "cd" * 32}, 422),
        (provider, "deliver", {name: "" for name in right}, 422),
        (payer, "deliver", right, 403),
        (world.foreigner, "deliver", right, 404),
        (provider, "release", right, 403),
        (world.foreigner, "release", right, 404),
        (payer, "release", None, 422),
        (payer, "release", wrong, 422),
        (payer, "refund", {"reason": "No"}, 403),
        (world.foreigner, "refund", {"reason": "No"}, 404),
        (provider, "refund", {"reason": " "}, 422),
        (provider, "refund", {"reason": "x" * 501}, 422),
        (provider, "refund", {"reason": "\0"}, 422),
    ):
        teller.ordinary(program, f"{path}/{move}", body, status)
    for name in (uuid.uuid4(), "nothing", "%00", "9" * 200):
        teller.ordinary(provider, f"/escrow/{name}/refund", {"reason": "No"}, 404)
    teller.express(provider, f"{path}/deliver", right)
    teller.ordinary(provider, f"{path}/deliver", right, 409)
    teller.ordinary(payer, f"{path}/release", teller.result(path, of="cd" * 32), 422)
    teller.express(payer, f"{path}/release")
    for program, move, body in ((payer, "release", None), (provider, "refund", {"reason": "No"})):
        teller.ordinary(program, f"{path}/{move}", body, 409)
    reader = world.program(world.pair.payer, ("escrow:read",))
    teller.other(reader, new, world.terms(), 403)


def unusual(teller: Teller) -> None:
    """What is possible, but not usual."""
    world, payer, provider = teller.world, teller.world.payer, teller.world.provider
    teller.ordinary(payer, "/escrow/create", world.terms(provider_node_id="", verifier_key_id=""), 201)
    limited = world.program(world.pair.payer, spend_limit=Amount.parse("25"))
    keys = world.services.signing_keys(world.session)
    renewed = Program(world.app, keys.rotate(limited.key.key_id, timedelta(hours=1)))
    teller.express(limited, "/escrow/create", world.terms(amount="10"))
    teller.express(renewed, "/escrow/create", world.terms(amount="10"))
    teller.ordinary(renewed, "/escrow/create", world.terms(amount="10"), 403)
    asked = {
        "release_when": {"payer_approves": True},
        "refund_when": {"after": {"hours": 10, "since": "creation"}},
    }
    made = teller.ordinary(payer, "/escrow/create", world.terms(amount="10", terms=asked), 201)
    path = f"/escrow/{made['id']}"
    teller.ordinary(payer, f"{path}/refund", {"reason": "No"}, 403)
    teller.ordinary(provider, f"{path}/deliver", teller.result(path))
    teller.ordinary(payer, f"{path}/release")

    disputed = teller.escrow()
    teller.other(payer, f"{disputed}/dispute", {"reason": "It is noise"}, 201)
    teller.ordinary(provider, f"{disputed}/deliver", teller.result(disputed), 409)
    teller.ordinary(provider, f"{disputed}/refund", {"reason": "You are right"})

    service = {"name": "texts", "kind": "text", "limits": {}, "requires_result": True, "price": "5"}
    teller.other(provider, "/services", service, 201)
    teller.ordinary(payer, "/escrow/create", world.terms(amount="4", service_name="texts"), 422)
    made = teller.ordinary(payer, "/escrow/create", world.terms(amount="10", service_name="texts"), 201)
    path = f"/escrow/{made['id']}"
    teller.ordinary(provider, f"{path}/deliver", teller.result(path), 422)
    teller.ordinary(payer, f"{path}/release", teller.result(path), 422)

    paid, late, over = teller.escrow(), teller.escrow(), teller.escrow()
    teller.express(provider, f"{over}/deliver", teller.result(over))
    _change(world, world.pair.provider.wallet_id, payout_address=ADDRESS)
    teller.ordinary(payer, f"{paid}/release", teller.result(paid))
    _change(world, world.pair.provider.wallet_id, payout_address=None)
    _change(world, world.pair.payer.wallet_id, is_frozen=True)
    teller.ordinary(payer, "/escrow/create", world.terms(), 403)
    teller.clock.shift(timedelta(days=40))
    teller.ordinary(provider, f"{late}/deliver", teller.result(late), 403)
    payer = world.program(world.pair.payer)  # the old key has ended in its turn
    teller.ordinary(payer, f"{late}/refund", {"reason": "Too late"})
    teller.ordinary(payer, f"{over}/release")


def _change(world: World, wallet_id: int, **values: Any) -> None:
    with unit_of_work(world.session):
        world.session.execute(update(Wallet).where(Wallet.id == wallet_id).values(**values))


STORIES = (usual, others, refused, unusual)


def test_answers_and_rows_are_those_of_the_ordinary_way(databases: Databases, tmp_path: Path) -> None:
    with_it = tell(STORIES, databases, tmp_path / "with", has_lane=True)
    without = tell(STORIES, databases, tmp_path / "without", has_lane=False)
    assert differences(with_it, without) == []
