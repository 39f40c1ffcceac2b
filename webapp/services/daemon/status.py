"""The state of the daemon in one look, and what to do about what is wrong. Reads only; never raises for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from webapp.domain.exceptions import RpcAuthenticationError, RpcRefusedError, WalletIntegrationError
from webapp.domain.money import Amount
from webapp.services.daemon.answers import read_amount, read_fee_estimate, read_relay_fee
from webapp.services.daemon.chain import FEE_TARGET_BLOCKS, DaemonChain
from webapp.services.daemon.dialect import Dialect
from webapp.services.daemon.rpc_connection import plain_secret

_ASKED: tuple[tuple[str, list[Any]], ...] = (
    ("getblockchaininfo", []),
    ("getnetworkinfo", []),
    ("getwalletinfo", []),
    ("getbalance", []),
    ("estimatesmartfee", [FEE_TARGET_BLOCKS]),
)
_WALLET_METHODS = ("getwalletinfo", "getbalance")
# Blocks a daemon may be behind the headers it has heard of while one is on its way.
_BLOCKS_ON_THE_WAY = 1


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what to do. A fatal one keeps deposits or payouts from working."""

    text: str
    advice: str
    is_fatal: bool = True


@dataclass(frozen=True)
class DaemonStatus:
    """What was found. Fields are None when the daemon did not say; `unlocked_until` is a Unix time."""

    endpoint: str
    expected_network: str
    reachable: bool = False
    network: str | None = None
    subversion: str | None = None
    blocks: int | None = None
    headers: int | None = None
    best_block_hash: str | None = None
    synced: bool = False
    connections: int | None = None
    encrypted: bool = False
    unlocked_until: int | None = None
    dialect: Dialect | None = None
    relay_fee_per_kb: Amount | None = None
    fee_estimate_per_kb: Amount | None = None
    fee_rate_per_kb: Amount | None = None
    balance: Amount | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether deposits and payouts work."""
        return self.reachable and not any(problem.is_fatal for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """For JSON output: amounts as text, the dialect and the problems as objects."""
        values = {
            name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "problems"
        }
        return {
            **values,
            "usable": self.usable,
            "problems": [{"problem": p.text, "advice": p.advice, "fatal": p.is_fatal} for p in self.problems],
        }


def ask_status(daemon: DaemonChain) -> DaemonStatus:
    """Ask everything in one exchange, and the dialect in another."""
    nothing = DaemonStatus(endpoint=str(daemon.rpc.endpoint), expected_network=daemon.network)
    try:
        replies = daemon.rpc.batch_read(_ASKED)
    except WalletIntegrationError as error:
        answers_at_all = isinstance(error, RpcAuthenticationError)
        return replace(nothing, reachable=answers_at_all, problems=[_problem_of(error)])
    answers = {method: reply for (method, _), reply in zip(_ASKED, replies, strict=True)}
    try:
        dialect, without = daemon.dialect(), []
    except WalletIntegrationError as error:
        dialect, without = None, [_problem_of(error)]
    described = _described(replace(nothing, reachable=True, dialect=dialect), daemon, answers)
    return replace(described, problems=[*without, *_problems(described, daemon, answers)])


def is_synced(chain: dict[str, Any]) -> bool:
    """Whether the daemon has the blocks that it knows of, from `getblockchaininfo`."""
    if chain["headers"] - chain["blocks"] > _BLOCKS_ON_THE_WAY:
        return False
    # Old blocks make a daemon think that it is behind; on regtest there is nobody to be behind of.
    return chain["chain"] == "regtest" or not chain.get("initialblockdownload", False)


def _described(found: DaemonStatus, daemon: DaemonChain, answers: dict[str, Any]) -> DaemonStatus:
    chain, network, wallet, balance, estimate = (_given(answers[method]) for method, _ in _ASKED)
    relay_fee, fee_estimate = read_relay_fee(network), read_fee_estimate(estimate)
    return replace(
        found,
        network=chain["chain"] if chain else None,
        blocks=chain["blocks"] if chain else None,
        headers=chain["headers"] if chain else None,
        best_block_hash=chain["bestblockhash"] if chain else None,
        synced=is_synced(chain) if chain else False,
        subversion=network["subversion"] if network else None,
        connections=network["connections"] if network else None,
        encrypted="unlocked_until" in (wallet or {}),
        unlocked_until=wallet.get("unlocked_until") if wallet else None,
        relay_fee_per_kb=relay_fee,
        fee_estimate_per_kb=fee_estimate,
        fee_rate_per_kb=daemon.choose_fee_rate(fee_estimate, relay_fee),
        balance=None if balance is None else read_amount(balance),
    )


def _problems(found: DaemonStatus, daemon: DaemonChain, answers: dict[str, Any]) -> list[Problem]:
    refused = {m: a for m, a in answers.items() if isinstance(a, RpcRefusedError) and m != "estimatesmartfee"}
    if all(method in refused for method in _WALLET_METHODS):
        refused.pop("getbalance")  # Both say the same.
    problems = [_problem_of(error) for error in refused.values()]
    problems += _chain_problems(found)
    if found.encrypted and not _is_open(found) and not plain_secret(daemon.settings.passphrase):
        advice = "Set wallet.passphrase, or unlock the wallet with walletpassphrase."
        problems.append(Problem("The daemon's wallet is locked, so payouts cannot be signed.", advice))
    warning = (_given(answers["getnetworkinfo"]) or {}).get("warnings")
    if warning:
        problems.append(Problem(f"The daemon warns: {warning}", "Read its debug.log.", is_fatal=False))
    return problems


def _chain_problems(found: DaemonStatus) -> list[Problem]:
    problems = []
    if found.network is not None and found.network != found.expected_network:
        problems.append(
            Problem(
                f"The daemon runs on {found.network}, but wallet.network is {found.expected_network}.",
                "Point rpc.port at the right daemon, or correct wallet.network.",
            )
        )
    if found.network is not None and not found.synced:
        progress = f"The daemon has {found.blocks} of {found.headers} known blocks."
        problems.append(Problem(progress, "Wait until it has caught up; deposits are credited then."))
    if found.connections == 0 and found.network in ("main", "test"):
        advice = "Check its internet connection, or add a peer with addnode."
        problems.append(Problem("The daemon has no peers.", advice))
    return problems


def _is_open(found: DaemonStatus) -> bool:
    return (found.unlocked_until or 0) > time.time()


def _given(answer: Any) -> Any | None:
    return None if isinstance(answer, RpcRefusedError) else answer


def _problem_of(error: WalletIntegrationError) -> Problem:
    """An error's first sentence is what is wrong, the others what to do."""
    text, _, advice = error.detail.partition(". ")
    return Problem(text.rstrip(".") + ".", advice or "See the daemon's debug.log.")


def _plain(value: Any) -> Any:
    if isinstance(value, Dialect):
        return value.as_dict()
    return str(value) if isinstance(value, Amount) else value
