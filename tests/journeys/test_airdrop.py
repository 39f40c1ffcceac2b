"""Forty escrows fill the fund, and it gives itself back: on the chain, in the books, on the page, for a stranger."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.market import Market
from tests.support.people import Person, make_person
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.services.node_registry import RegisteredNode
from webapp.services.nodes.heartbeats import beat

STRANGER = Path(__file__).with_name("stranger.py")
ESCROWS, AMOUNT = 40, "51"


class Town:
    """Four owners with five nodes: three are paid into balances, one at an address of its own, one is silent."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.outside = market.chain.new_outside_address()
        owners = [make_person(market.session, market.services, "provider") for _ in range(4)]
        self.working = [
            (owners[0], self._node(owners[0], "berlin-1")),
            (owners[0], self._node(owners[0], "berlin-2")),
            (owners[1], self._node(owners[1], "lima-1")),
            (owners[2], self._node(owners[2], "oslo-1", airdrop_to="chain", airdrop_address=self.outside)),
        ]
        self.silent = (owners[3], self._node(owners[3], "quito-1"))

    def _node(self, owner: Person, node_id: str, **wishes: str) -> RegisteredNode:
        services, session = self.market.services, self.market.session
        return services.node_registry(session).register(owner.actor, node_id, owner.wallet_id, **wishes)

    def beat(self) -> None:
        for _, registered in self.working:
            settings, at = self.market.services.settings, utcnow()
            beat(
                self.market.session,
                settings,
                registered.node.id,
                load=250,
                tasks_running=1,
                version="1.0",
                at=at,
            )

    def work(self) -> None:
        """Forty tasks, in turn on every node that beats."""
        market = self.market
        managers = market.services.escrow_manager(market.session, market.payer.actor)
        for number in range(ESCROWS):
            owner, registered = self.working[number % len(self.working)]
            escrow = managers.create_escrow(
                market.payer.wallet_id, owner.wallet_id, AMOUNT, "image_upscaler_v1", f"task-{number}"
            )
            result_hash = f"{number:064x}"
            signed = sign_result(registered.key.secret, escrow.id, escrow.amount, result_hash)
            managers.release_escrow(escrow.id, result_hash, signed)


def as_a_stranger(snapshot: bytes, folder: Path) -> dict[str, object]:
    """What the script makes of the downloaded bytes, in a process that can import nothing of ours."""
    file = folder / "snapshot.json"
    file.write_bytes(snapshot)
    done = subprocess.run(
        [sys.executable, "-I", STRANGER, file], capture_output=True, text=True, check=True, cwd=folder
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def get(client: FlaskClient, path: str) -> dict[str, object]:
    response = client.get(path)
    assert response.status_code == 200, (path, response.text)
    return response.get_json()


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.settings(community_fund={"is_public": True})
def test_the_fund_gives_itself_back_and_anybody_can_check_it(
    market: Market, app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    market.deposit(market.payer, "2100")
    town = Town(market)
    town.beat()
    town.work()
    assert market.fund() == "102.00000000"
    before = get(client, "/community-fund/status")
    assert (before["current_balance"], before["next_airdrop_trigger"]) == ("102.00000000", "0.00000000")

    market.work()
    market.settle()

    after = get(client, "/community-fund/status")
    share = Amount.parse("25.5")
    assert after["current_balance"] == market.fund() == "0.00000000"
    assert (after["total_distributed"], after["last_airdrop_amount"]) == ("102.00000000", "102.00000000")
    (airdrop,) = get(client, "/community-fund/airdrops")["items"]
    assert (airdrop["kind"], airdrop["status"], airdrop["total"]) == ("automatic", "done", "102.00000000")

    # The chain shows the payment, the balances show the others.
    market.chain.sync()
    (payout,) = market.payouts()
    assert (payout.address, payout.gross, payout.status) == (town.outside, share, "confirmed")
    assert payout.net is not None
    assert market.chain.miner.rpc("getreceivedbyaddress", town.outside, 1) == payout.net.decimal
    earned = Amount.parse("484.5")  # ten escrows, 95 % of each
    berlin, _, lima, oslo = (owner for owner, _ in town.working)
    assert market.balances(berlin)[0] == str(earned + earned + share + share)
    assert market.balances(lima)[0] == str(earned + share)
    assert market.balances(oslo)[0] == str(earned)

    # A stranger comes to the same shares, and to the same reason why one node has none.
    path = f"/community-fund/airdrops/{airdrop['id']}"
    snapshot = client.get(f"{path}/snapshot").data
    worked_out = as_a_stranger(snapshot, tmp_path)
    listed = get(client, f"{path}/recipients?limit=100")["items"]
    assert worked_out["hash"] == airdrop["snapshot_hash"]
    assert worked_out["shares"] == {row["node_id"]: Amount.parse(row["amount"]).base_units for row in listed}
    assert len(listed) == 4
    refused = {
        node["node_id"]: node["refusals"] for node in json.loads(snapshot)["nodes"] if node["refusals"]
    }
    assert refused == {"quito-1": ["unverified", "offline", "no_settled_work"]}

    # What the stranger knew stands on the fund's page, and the page of the airdrop shows what was paid.
    page = client.get("/fund").text
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for said in ("SHA-256", "snapshot", "reputation", "owner", "0.00000000 FLOP"):
        assert said in words, said
    shown = client.get(f"/fund/airdrops/{airdrop['id']}").text
    for said in ("oslo-1", "25.50000000", airdrop["snapshot_hash"], "quito-1"):
        assert said in shown, said
