"""One transaction for many payouts: merged outputs, chosen inputs, the fee and who bears how much of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.config import WalletSettings
from webapp.domain.exceptions import RpcRefusedError, TransactionError
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount, share_equally
from webapp.domain.said import said
from webapp.models import Payout
from webapp.services.daemon.answers import Coin, DecodedTransaction, FundedTransaction, OutPoint
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.transactions import InputsTakenError, SignedTransaction

# What daemons say when a transaction would cost more than their own -maxtxfee.
_DAEMONS_MAXIMUM = "exceeds maximum"


class FeeTooHighError(TransactionError):
    """The network asks for more than the configured maximum; nothing is sent at such a price."""

    slug = "fee-too-high"
    title = said("The network fee is above the maximum")


@dataclass(frozen=True, slots=True)
class Share:
    """What one payout gets out of the transaction, in which output, at what fee."""

    payout: Payout
    output_index: int
    fee: Amount
    net: Amount


@dataclass(frozen=True, slots=True)
class Batch:
    """A signed transaction, and what each payout gets of it. Its fee may exceed the shares' by dust change."""

    signed: SignedTransaction
    shares: tuple[Share, ...]


def build(
    daemon: DaemonWallet, settings: WalletSettings, payouts: Sequence[Payout], coins: Sequence[Coin] = ()
) -> Batch:
    """Fund and sign, with these coins or else with those that the daemon chooses.

    On any error the inputs are unlocked again and nothing is left behind. Raises FeeTooHighError, InputsTakenError
    when one of the coins is gone, or a WalletIntegrationError.
    """
    outputs: dict[str, Amount] = {}
    for payout in payouts:
        outputs[payout.address] = outputs.get(payout.address, ZERO) + payout.gross
    is_borne_by_recipient = payouts[0].fee_paid_by == "recipient"
    tip = daemon.tip()
    fee_rate = daemon.fee_rate_per_kb()
    daemon.require_openable()
    inputs = _lock(daemon, coins)
    try:
        with step(Step.PAYOUTS_FUND):
            funded = _fund(daemon, outputs, fee_rate, is_borne_by_recipient, inputs)
        inputs = daemon.decode(funded.hex).inputs
        # Only signing needs the keys: the wallet is open for nothing else.
        with step(Step.PAYOUTS_SIGN), daemon.unlocked():
            signed_hex = daemon.sign(funded.hex)
        decoded = daemon.decode(signed_hex)
        shares = _shares(payouts, decoded, funded, is_borne_by_recipient)
        _check_fees(settings, funded.fee, shares)
        _check_outputs(settings, funded, decoded)
    except BaseException:
        daemon.unlock_inputs(inputs)
        raise
    signed = SignedTransaction(
        decoded.txid, signed_hex, funded.fee, decoded.size, funded.change_position, inputs, tip.hash
    )
    return Batch(signed, tuple(shares))


def _lock(daemon: DaemonWallet, coins: Sequence[Coin]) -> tuple[OutPoint, ...]:
    """Coins that the daemon is told to spend are not locked by it, unlike those that it finds."""
    points = tuple(coin.point for coin in coins)
    refused = daemon.lock_inputs(points)
    if refused:
        daemon.unlock_inputs(set(points).difference(refused))
        raise InputsTakenError(said("some of the coins were spent a moment ago"))
    return points


def _fund(
    daemon: DaemonWallet,
    outputs: dict[str, Amount],
    fee_rate: Amount,
    by_recipient: bool,
    inputs: Sequence[OutPoint],
) -> FundedTransaction:
    try:
        return daemon.fund_transaction(outputs, fee_rate, subtract_fee=by_recipient, inputs=inputs)
    except RpcRefusedError as error:
        if _DAEMONS_MAXIMUM in error.detail.lower():
            raise FeeTooHighError(error.detail) from error
        raise


def _shares(
    payouts: Sequence[Payout], decoded: DecodedTransaction, funded: FundedTransaction, by_recipient: bool
) -> list[Share]:
    # By position: an address may have two spellings, and the daemon knows only one of them.
    paying = [output for output in decoded.outputs if output.vout != funded.change_position]
    groups: defaultdict[str, list[Payout]] = defaultdict(list)
    for payout in payouts:
        groups[payout.address].append(payout)
    shared_fees = iter(share_equally(funded.fee.base_units, len(payouts)))
    shares = []
    for group, output in zip(groups.values(), paying, strict=True):
        taken = sum(payout.gross.base_units for payout in group) - output.amount.base_units
        taken_each = iter(share_equally(taken, len(group)))
        for payout in group:
            fee = Amount(next(taken_each) if by_recipient else next(shared_fees))
            net = payout.gross - fee if by_recipient else payout.gross
            shares.append(Share(payout, output.vout, fee, net))
    return shares


def _check_fees(settings: WalletSettings, fee: Amount, shares: Sequence[Share]) -> None:
    """The hard maxima. What nobody's share covers is change too small to be an output, and never more than that."""
    highest = max(share.fee for share in shares)
    if fee > settings.max_fee_per_transaction:
        raise FeeTooHighError(
            said(
                "the transaction would cost {fee} FLOP; wallet.max_fee_per_transaction is "
                "{max_fee_per_transaction}",
                fee=fee,
                max_fee_per_transaction=settings.max_fee_per_transaction,
            )
        )
    if highest > settings.max_fee_per_payout:
        raise FeeTooHighError(
            said(
                "a payout would cost {highest} FLOP; wallet.max_fee_per_payout is {max_fee_per_payout}",
                highest=highest,
                max_fee_per_payout=settings.max_fee_per_payout,
            )
        )
    beyond = abs(fee.base_units - sum(share.fee.base_units for share in shares))
    if beyond > settings.dust_limit.base_units:
        raise FeeTooHighError(
            said("{beyond} FLOP of the fee would be borne by nobody", beyond=Amount(beyond))
        )


def _check_outputs(settings: WalletSettings, funded: FundedTransaction, decoded: DecodedTransaction) -> None:
    """What arrives must be more than dust: less may be refused by the network, or never be worth spending."""
    paid = [output.amount for output in decoded.outputs if output.vout != funded.change_position]
    if min(paid) < settings.dust_limit:
        raise FeeTooHighError(
            said("after the fee only {paid} FLOP would arrive, which is dust", paid=min(paid))
        )
