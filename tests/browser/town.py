"""A service with some history: people of every role, escrows and payouts in every state, figures of the fund."""

from __future__ import annotations

import uuid

from tests.browser.visits import Site
from tests.support.people import RESULT_HASH, Pair, Person, make_key, make_node, make_person, manager
from webapp.domain.canonical import sign_result
from webapp.domain.money import Amount
from webapp.models import Escrow
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.payouts import halts as payout_halts
from webapp.services.solvency.publish import Publisher
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import set_payout_address

CONFIRMATIONS = 2  # what the settings of the tests ask for
SERVICES = ("image_upscaler_v1", "gpu-render", "llm-finetune", "video-transcode", "protein-folding")


class Town:
    """`live` makes the history. `escrows` and `payouts` then hold one id for each state."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.people: dict[str, Person] = {
            role: make_person(site.session, site.services, role)
            for role in ("payer", "provider", "operator", "arbiter")
        }
        key = make_key(site.session, site.services, self.people["provider"], label="render farm")
        self.pair = Pair(self.people["payer"], self.people["provider"], key)
        self.node_id = self.airdrop_path = ""
        self.escrows: dict[str, uuid.UUID] = {}
        self.payouts: dict[str, uuid.UUID] = {}

    def live(self) -> Town:
        """Deposits, escrows in every state, payouts in every state, an alert."""
        site = self.site
        site.work()
        self._deposit("2500")
        self.node_id = make_node(site.session, site.services, self.pair.provider).node.id
        for number in range(21):
            self._release(self._create(f"{(number * 37) % 90 + 2}.5", number))
        self._settle()
        self.escrows |= {
            "active": self._create("100", 1).id,
            "delivered": self._deliver(self._create("250.125", 2)).id,
            "refunded": self._refund(self._create("40", 3)).id,
            "released": self._release(self._create("100", 4)).id,
        }
        self._give_airdrop("7.5")
        self.payouts["confirmed"] = self._withdraw("30")
        self._settle()
        self._deposit("321.00000001", confirmations=1)
        address = site.chain.new_outside_address()
        set_payout_address(
            site.session,
            site.services.daemon,
            self.pair.provider.actor,
            self.pair.provider.wallet_id,
            address,
        )
        self.escrows["on-its-way"] = self._release(self._create("100", 5)).id
        self.payouts["broadcast"] = self._withdraw("12.34567891")
        site.work()
        site.chain.send(self._deposit_address(), "77")
        site.mine(1)
        self.payouts["queued"] = self._withdraw("7")
        self.escrows["pending"] = self._create("64", 6, funding="deposit").id
        self._see_coins_come("3")
        publish = Publisher(site.session, site.services.settings, site.services.daemon).publish
        publish()
        with unit_of_work(site.session):
            payout_halts.raise_alert(
                site.session,
                "deposit_lost",
                "f3…",
                "wallet 1 had spent 2.5 FLOP of a deposit that the chain undid",
            )
        return self

    def _give_airdrop(self, amount: str) -> None:
        """An operator gives the provider's node something of the fund, on the chain."""
        site, provider = self.site, self.people["provider"]
        address = site.chain.new_outside_address()
        nodes = site.services.node_registry(site.session)
        nodes.update(provider.actor, self.node_id, airdrop_to="chain", airdrop_address=address)
        airdrops = ManualAirdrops(site.session, site.services.settings, self.people["operator"].actor)
        given = airdrops.give([self.node_id], amount_per_node=amount, reason="For the night of the outage")
        self.airdrop_path = f"/fund/airdrops/{given.id}"

    def _deposit(self, amount: str, confirmations: int = CONFIRMATIONS) -> None:
        site = self.site
        site.chain.send(self._deposit_address(), amount)
        site.work()
        site.mine(confirmations)

    def _deposit_address(self) -> str:
        address = self.site.services.wallets(self.site.session).deposit_address(self.pair.payer.wallet_id)
        assert address
        return address

    def _see_coins_come(self, amount: str) -> None:
        """Coins at an address of the daemon's wallet that was never given out."""
        site = self.site
        site.chain.send(site.chain.custody.rpc("getnewaddress", "", "legacy"), amount)
        site.mine(1)

    def _create(self, amount: str, number: int, **terms: str) -> Escrow:
        return manager(self.site.session, self.site.services, self.pair.payer).create_escrow(
            self.pair.payer.wallet_id,
            self.pair.provider.wallet_id,
            amount,
            SERVICES[number % len(SERVICES)],
            f"task-{1000 + number}",
            **terms,
        )

    def _deliver(self, escrow: Escrow) -> Escrow:
        signature = sign_result(self.pair.key.secret, escrow.id, escrow.amount, RESULT_HASH)
        escrows = manager(self.site.session, self.site.services, self.pair.provider)
        return escrows.deliver_escrow(escrow.id, RESULT_HASH, signature)

    def _release(self, escrow: Escrow) -> Escrow:
        self._deliver(escrow)
        return manager(self.site.session, self.site.services, self.pair.payer).release_escrow(escrow.id)

    def _refund(self, escrow: Escrow) -> Escrow:
        escrows = manager(self.site.session, self.site.services, self.pair.provider)
        return escrows.refund_escrow(escrow.id, "The card ran out of memory; please split the scene")

    def _withdraw(self, amount: str) -> uuid.UUID:
        site = self.site
        payouts = site.services.wallets(site.session).payouts
        address = site.chain.new_outside_address()
        return payouts.withdraw(self.pair.provider.wallet_id, address, Amount.parse(amount)).id

    def _settle(self) -> None:
        self.site.work()
        self.site.mine(CONFIRMATIONS)
