"""The names of ledger accounts.

Two accounts per wallet and a few pooled ones. A balance is what came in minus what went out; `chain` (the
outside world) therefore shows minus what was ever deposited net, and all balances together are always zero.

    available:<wallet>   what the owner may spend          liability
    held:<wallet>        locked in the payer's escrows     liability
    fund                 the community fund                liability
    payouts_in_flight    asked out, not yet final          liability
    network_fees         paid to miners                    spent
    losses               what the chain undid or others took of our coins, and nobody bears (negative)
    cold                 coins in cold storage: ours, but outside the daemon (negative)
    chain                the outside
"""

from __future__ import annotations

FUND = "fund"
PAYOUTS_IN_FLIGHT = "payouts_in_flight"
NETWORK_FEES = "network_fees"
LOSSES = "losses"
COLD = "cold"
CHAIN = "chain"

POOLED = (FUND, PAYOUTS_IN_FLIGHT, NETWORK_FEES, LOSSES, COLD, CHAIN)


def available(wallet_id: int) -> str:
    """The account a wallet spends from."""
    return f"available:{wallet_id}"


def held(wallet_id: int) -> str:
    """The account that keeps what a wallet locked in escrows."""
    return f"held:{wallet_id}"


def wallet_part(account: str) -> tuple[str, int] | None:
    """("available" | "held", wallet id), or None for a pooled account."""
    part, separator, wallet_id = account.partition(":")
    return (part, int(wallet_id)) if separator else None
