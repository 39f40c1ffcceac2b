"""An airdrop with real coins: shares that stay, shares that are sent, and one for a node that has no wallet here."""

from __future__ import annotations

import pytest

from tests.faults.points import GENEROUS
from tests.support.airdrops import Listed, airdrops, listed, make_nodes, recipients
from tests.support.market import Market
from webapp.domain.money import Amount
from webapp.services.airdrops.run import AirdropRun


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.settings(**GENEROUS)
def test_each_node_is_paid_as_it_prefers(market: Market) -> None:
    market.deposit(market.payer, "120")
    market.release(market.escrow("100"))
    own, theirs, payee, foreign = (market.chain.new_outside_address() for _ in range(4))
    market.pay_to(market.provider, payee)
    (kept,) = make_nodes(market.session, [market.payer.wallet_id], work="")
    (sent,) = make_nodes(
        market.session, [market.payer.wallet_id], work="", airdrop_to="chain", airdrop_address=own
    )
    (followed,) = make_nodes(market.session, [market.provider.wallet_id], work="", airdrop_to="chain")
    nodes = [listed(kept), listed(sent, theirs), listed(followed, theirs), listed("stranger", foreign)]
    AirdropRun(market.session, market.services.settings, Listed(nodes)).run()

    airdrop = airdrops(market.session)[0]
    assert (airdrop.status, str(airdrop.total), market.fund()) == ("paying", "5.00000000", "0.00000000")
    assert market.balances(market.payer) == ("21.25000000", "0.00000000")
    assert airdrop.block_height == market.chain.custody.rpc("getblockcount")

    market.settle()
    airdrop = airdrops(market.session)[0]
    assert airdrop.status == "done"
    assert airdrop.finished_at is not None
    told = {node_id: status for node_id, (status, _) in recipients(market.session, airdrop).items()}
    assert told == {kept: "credited", sent: "paid", followed: "paid", "stranger": "paid"}
    nets = {payout.address: payout.net for payout in market.payouts()}
    assert set(nets) == {own, payee, foreign}
    for address, net in nets.items():
        assert net is not None
        assert Amount.parse("1.2") < net < Amount.parse("1.25")
        assert market.chain.received(address) == str(net)
    assert theirs not in nets, "what an outside registry says comes after what is known here"
