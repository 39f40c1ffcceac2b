"""A small regtest network: the custody daemon that the product talks to, and a miner for everybody else.

Every method returns when both daemons agree on what it did, so that tests need no sleeps. The custody wallet starts
empty and belongs to one test (`fresh_wallet`): coins in the daemon can be compared with the books to the last unit.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from tests.support.daemon import RegtestDaemon
from tests.support.processes import wait_until
from tests.support.rpc import RpcRefusedError

FIRST_BLOCKS = 300  # regtest halves its reward every 150 blocks: about 8,750 coins can be spent from here on


class _Peer(TypedDict):
    inbound: bool
    version: int  # zero until it has introduced itself


class Chain:
    """`custody` and `miner`, connected as peers. Amounts are decimal strings such as `"12.5"`."""

    def __init__(self, folder: Path) -> None:
        # Flopcoin has no MWEB; regtest would switch it on after some hundred blocks.
        without_mweb = "-vbparams=mweb:-2:0"
        self.custody = RegtestDaemon(folder / "custody", without_mweb)
        self.miner = RegtestDaemon(folder / "miner", without_mweb, "-addresstype=legacy")
        self._wallets = 0
        self._reward_address = ""

    def start(self) -> Chain:
        """Start both, give the miner mature coins and custody an empty wallet."""
        for daemon in (self.custody, self.miner):
            daemon.start()
        _create_wallet(self.miner, "")
        self._reward_address = self.miner.rpc("getnewaddress")
        self._create_custody_wallet()
        self.mine(FIRST_BLOCKS)
        return self

    def stop(self) -> None:
        """End both at once; nothing of them is kept."""
        self.custody.kill()
        self.miner.kill()

    def mine(self, blocks: int = 1) -> list[str]:
        """Mine what both mempools hold and then empty blocks; their hashes, oldest first."""
        self.sync()
        hashes: list[str] = self.miner.rpc("generatetoaddress", blocks, self._reward_address)
        self.sync()
        return hashes

    def send(self, address: str, amount: str) -> str:
        """Pay from the miner's wallet; the txid, once custody has it in its mempool."""
        txid: str = self.miner.rpc("sendtoaddress", address, amount)
        self.sync()
        return txid

    def deposit(self, address: str, amount: str, confirmations: int = 1) -> str:
        """`send`, then blocks until it has that many confirmations; the txid."""
        txid = self.send(address, amount)
        self.mine(confirmations)
        return txid

    def new_outside_address(self) -> str:
        """A legacy address of the miner's wallet: somewhere for coins to go."""
        address: str = self.miner.rpc("getnewaddress", "", "legacy")
        return address

    def received(self, address: str) -> str:
        """What an outside address got, the mempool included, with eight decimals."""
        self.sync()
        return f"{self.miner.rpc('getreceivedbyaddress', address, 0):.8f}"

    def sync(self) -> None:
        """Make mempools and tips equal, and the wallets up to date. While custody is stopped the miner is alone."""
        if not self.custody.is_running or self._are_in_step():
            return
        self._connect()
        wait_until(self._have_one_tip, "both daemons to have the same tip")
        if not self._are_in_step():
            _copy_mempool(self.custody, self.miner)
            _copy_mempool(self.miner, self.custody)
            for daemon in (self.custody, self.miner):
                daemon.rpc("syncwithvalidationinterfacequeue")

    def reorganise(
        self, depth: int, blocks: Sequence[Sequence[str]] = (), *, is_by_hand: bool = True
    ) -> list[str]:
        """Replace the last `depth` blocks by `depth + 1` new ones, whose hashes are returned.

        `blocks` are the transactions (hex) of the first new ones, parents before children; the others are empty. What
        the old ones held and the new ones allow is unconfirmed again: in both mempools, but for what an operator who
        takes blocks back by hand loses, which is everything beyond the last ten. Otherwise custody follows the longer
        chain of another miner by itself.
        """
        assert len(blocks) <= depth + 1, "there are not so many new blocks"
        self.sync()
        first_undone = self.miner.rpc("getblockhash", self.miner.rpc("getblockcount") - depth + 1)
        self.custody.rpc("setnetworkactive", is_by_hand)
        for daemon in (self.custody, self.miner) if is_by_hand else (self.miner,):
            daemon.rpc("invalidateblock", first_undone)
        # The same reward in the same second would make the very block that was just declared invalid.
        other_address = self.new_outside_address()
        contents = [*map(list, blocks), *([] for _ in range(depth + 1 - len(blocks)))]
        hashes = [self.miner.rpc("generateblock", other_address, each)["hash"] for each in contents]
        self.custody.rpc("setnetworkactive", True)
        self.sync()
        return hashes

    def hex_of(self, txid: str) -> str:
        """The bytes of a transaction that either wallet has."""
        for daemon in (self.miner, self.custody):
            try:
                found: str = daemon.rpc("gettransaction", txid)["hex"]
            except RpcRefusedError:
                continue
            return found
        raise AssertionError(f"nobody knows {txid}")

    def double_spend(self, txid: str, *, pays: dict[str, str] | None = None) -> str:
        """A transaction (hex) of the miner that spends the coins of one that it sent, and pays itself or others.

        `pays` maps addresses to amounts, which must not be more than what the coins are worth.
        """
        original = self.miner.rpc("decoderawtransaction", self.hex_of(txid))
        points = [{"txid": each["txid"], "vout": each["vout"]} for each in original["vin"]]
        coins = [{**each, **self._output(each["txid"], each["vout"])} for each in points]
        rest = sum(coin["amount"] for coin in coins) - sum(map(Decimal, (pays or {}).values()))
        outputs = dict(pays or {})
        if rest > Decimal("0.02"):
            outputs[self.new_outside_address()] = f"{rest - Decimal('0.01'):.8f}"
        raw = self.miner.rpc("createrawtransaction", points, outputs)
        plain = [{**coin, "amount": f"{coin['amount']:.8f}"} for coin in coins]
        signed = self.miner.rpc("signrawtransactionwithwallet", raw, plain)
        assert signed["complete"], signed
        found: str = signed["hex"]
        return found

    def _output(self, txid: str, vout: int) -> dict[str, Any]:
        output = self.miner.rpc("decoderawtransaction", self.hex_of(txid))["vout"][vout]
        return {"scriptPubKey": output["scriptPubKey"]["hex"], "amount": output["value"]}

    def fresh_wallet(self) -> None:
        """Give custody's coins back to the miner and custody an empty wallet, whatever a test left behind."""
        try:
            self._empty_custody()
        except (
            OSError,
            RpcRefusedError,
        ):  # locked, forked or stuck in a way that no call undoes: begin again
            self.stop()
            for daemon in (self.custody, self.miner):
                shutil.rmtree(daemon.datadir)
            self.start()

    def _empty_custody(self) -> None:
        for daemon in (self.custody, self.miner):
            if daemon.is_running:
                daemon.resume()
            else:
                daemon.start()
        self.custody.rpc("setnetworkactive", True)
        self.mine()
        for wallet in self.custody.rpc("listwallets"):
            self._give_back()
            self.custody.rpc("unloadwallet", wallet, False)
        self._create_custody_wallet()

    def _give_back(self) -> None:
        self.custody.rpc("lockunspent", True)
        coins = self.custody.rpc("listunspent", 0)
        if coins:
            total = sum(coin["amount"] for coin in coins)
            self.custody.rpc("sendtoaddress", self.new_outside_address(), total, "", "", True)
            self.mine()

    def _create_custody_wallet(self) -> None:
        self._wallets += 1
        _create_wallet(self.custody, f"custody-{self._wallets}")

    def _are_in_step(self) -> bool:
        """Whether there is nothing left to `sync`, found out in one exchange with each."""
        looks = [
            daemon.rpc_in_turn(
                ("getpeerinfo",),
                ("getbestblockhash",),
                ("getrawmempool",),
                ("syncwithvalidationinterfacequeue",),  # last: the wallets know what the others have told
            )
            for daemon in (self.custody, self.miner)
        ]
        (peers_here, tip_here, mempool_here, _), (peers_there, tip_there, mempool_there, _) = looks
        are_connected = _is_outgoing_there(peers_here) and _is_outgoing_there(peers_there)
        return are_connected and tip_here == tip_there and set(mempool_here) == set(mempool_there)

    def _connect(self) -> None:
        # One connection each way: a daemon only trusts those who came to it, and each is to trust the other.
        for here, there in ((self.custody, self.miner), (self.miner, self.custody)):
            if not _has_outgoing(here):
                here.rpc("addnode", f"127.0.0.1:{there.p2p_port}", "onetry")
                wait_until(partial(_has_outgoing, here), "the daemons to be connected")

    def _have_one_tip(self) -> bool:
        tips: list[str] = [daemon.rpc("getbestblockhash") for daemon in (self.custody, self.miner)]
        return tips[0] == tips[1]


def _has_outgoing(daemon: RegtestDaemon) -> bool:
    return _is_outgoing_there(daemon.rpc("getpeerinfo"))


def _is_outgoing_there(peers: list[_Peer]) -> bool:
    return any(not peer["inbound"] and peer["version"] > 0 for peer in peers)


def _create_wallet(daemon: RegtestDaemon, name: str) -> None:
    has_no_keys = is_blank = avoids_reuse = has_descriptors = False
    loads_on_startup = True
    passphrase = ""
    daemon.rpc(
        "createwallet",
        name,
        has_no_keys,
        is_blank,
        passphrase,
        avoids_reuse,
        has_descriptors,
        loads_on_startup,
    )


def _copy_mempool(source: RegtestDaemon, target: RegtestDaemon) -> None:
    """Hand over what relay has not carried (it forgets after restarts and reorganisations), parents first."""
    known = set(target.rpc("getrawmempool"))
    entries = source.rpc("getrawmempool", True)
    for txid in sorted(entries.keys() - known, key=lambda each: entries[each]["ancestorcount"]):
        try:
            target.rpc("sendrawtransaction", source.rpc("getrawtransaction", txid), 0)
        except RpcRefusedError:
            if txid not in target.rpc("getrawmempool"):
                raise
