"""The kinds of notices and their words: one table.

Whoever has something new to tell adds a `Kind` here (and a choice to `notices`, if no present one fits), and hands
drafts of it to `services.notices.book`. The sentences name what a notice's `detail` holds: `service`, `amount`,
`deadline`, `name`; nothing secret and no whole address may be in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.notices import Choice, choice_named
from webapp.domain.said import Said, said


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice. `fragment` leads to the action on the thing's page."""

    name: str
    choice: str
    title: Said
    sentence: Said
    fragment: str = ""


ACTION = "escrow-actions-title"

# Where the buttons of an escrow are on its page.
ACTION = "escrow-actions-title"

KINDS = (
    Kind(
        "pays.delivered",
        "pays.delivered",
        said("Result delivered"),
        said("{service}: check the result, then release {amount} or say what is wrong, by {deadline}."),
        ACTION,
    ),
    Kind(
        "pays.funded",
        "pays.funded",
        said("Escrow paid for"),
        said("{service}: {amount} have arrived and are locked until the work is done."),
    ),
    Kind(
        "pays.disputed",
        "pays.disputed",
        said("Escrow disputed"),
        said("{service}: the provider objects. {amount} stay where they are until it is decided."),
        ACTION,
    ),
    Kind(
        "pays.released",
        "pays.ended",
        said("Escrow released"),
        said("{service}: {amount} were released."),
    ),
    Kind(
        "pays.refunded",
        "pays.ended",
        said("Escrow refunded"),
        said("{service}: {amount} are back in your balance."),
    ),
    Kind(
        "pays.cancelled",
        "pays.ended",
        said("Escrow ended"),
        said("{service}: nothing had been paid in, and nothing happens any more."),
    ),
    Kind(
        "pays.resolved",
        "pays.ended",
        said("Escrow divided"),
        said("{service}: {amount} were divided between both sides."),
    ),
    Kind(
        "pays.fund_soon",
        "pays.deadline",
        said("Pay soon"),
        said("{service}: {amount} have to arrive by {deadline}, or the escrow ends."),
        ACTION,
    ),
    Kind(
        "pays.accept_soon",
        "pays.deadline",
        said("Check the result soon"),
        said("{service}: {amount} are released by themselves at {deadline} unless you object before."),
        ACTION,
    ),
    Kind(
        "pays.offer",
        "pays.offer",
        said("Offer received"),
        said(
            "{service}: the provider offers to divide {amount}. Accept it, answer with another one, or decline."
        ),
        "escrow-offers",
    ),
    Kind(
        "pays.offer_declined",
        "pays.offer",
        said("Offer declined"),
        said("{service}: the provider has declined your offer."),
        "escrow-offers",
    ),
    Kind(
        "provides.new",
        "provides.new",
        said("New escrow for you"),
        said("{service}: {amount}, to be delivered by {deadline}."),
        ACTION,
    ),
    Kind(
        "provides.new_unpaid",
        "provides.new",
        said("New escrow for you"),
        said("{service}: {amount}. Do not begin yet: it waits for the payer’s coins."),
    ),
    Kind(
        "provides.funded",
        "provides.funded",
        said("Escrow paid for"),
        said("{service}: {amount} are locked for you. Deliver the result by {deadline}."),
        ACTION,
    ),
    Kind(
        "provides.disputed",
        "provides.disputed",
        said("Escrow disputed"),
        said("{service}: the payer objects. {amount} stay where they are until it is decided."),
        ACTION,
    ),
    Kind(
        "provides.released",
        "provides.ended",
        said("Escrow released"),
        said("{service}: {amount} were released to you."),
    ),
    Kind(
        "provides.refunded",
        "provides.ended",
        said("Escrow refunded"),
        said("{service}: {amount} went back to the payer."),
    ),
    Kind(
        "provides.cancelled",
        "provides.ended",
        said("Escrow ended"),
        said("{service}: it was not paid for. Do not work for it."),
    ),
    Kind(
        "provides.resolved",
        "provides.ended",
        said("Escrow divided"),
        said("{service}: {amount} were divided between both sides."),
    ),
    Kind(
        "provides.offer",
        "provides.offer",
        said("Offer received"),
        said(
            "{service}: the payer offers to divide {amount}. Accept it, answer with another one, or decline."
        ),
        "escrow-offers",
    ),
    Kind(
        "provides.offer_declined",
        "provides.offer",
        said("Offer declined"),
        said("{service}: the payer has declined your offer."),
        "escrow-offers",
    ),
    Kind(
        "provides.deliver_soon",
        "provides.deadline",
        said("Deliver soon"),
        said("{service}: deliver the result by {deadline}, or {amount} go back to the payer."),
        ACTION,
    ),
    Kind(
        "arbiter.dispute",
        "arbiter.dispute",
        said("Dispute opened"),
        said("{service}: {amount} wait for a decision."),
        ACTION,
    ),
    Kind(
        "operator.alert",
        "operator.alert",
        said("Alert"),
        said("{name}: see what it is on the operations page."),
        "operations-alerts",
    ),
    Kind(
        "money.deposit",
        "money.deposit",
        said("Deposit credited"),
        said("{amount} are in your balance."),
    ),
    Kind(
        "money.payout_confirmed",
        "money.payout",
        said("Paid out"),
        said("{amount} have arrived at their address on the chain."),
    ),
    Kind(
        "money.payout_failed",
        "money.payout",
        said("Payout failed"),
        said("{amount} were not sent, and are back in your balance."),
    ),
    Kind(
        "money.payout_held",
        "money.payout",
        said("Payout held back"),
        said("{amount} wait until an operator lets them go."),
    ),
    Kind(
        "money.airdrop",
        "money.airdrop",
        said("Share of the community fund"),
        said("Your nodes were given {amount}."),
    ),
    Kind(
        "security.log_in",
        "security",
        said("New log-in"),
        said("Somebody logged in with {name}. If it was not you, end that session and change your password."),
    ),
    Kind(
        "security.password",
        "security",
        said("Password changed"),
        said("If it was not you, tell an operator at once."),
    ),
    Kind(
        "security.key_made",
        "security",
        said("Signing key made"),
        said("The key {name} may act in your name."),
    ),
    Kind(
        "security.key_revoked",
        "security",
        said("Signing key revoked"),
        said("The key {name} is worth nothing any more."),
    ),
    Kind(
        "security.second_factor",
        "security",
        said("Second factor changed"),
        said("If it was not you, tell an operator at once."),
    ),
    Kind(
        "security.wallet_frozen",
        "security",
        said("Wallet frozen"),
        said("Nothing leaves the wallet {name} until an operator gives it back to you."),
    ),
    Kind(
        "security.mail_refused",
        "security",
        said("Mail refused"),
        said(
            "Your mail server refused our mail for good. Nothing more is sent until you confirm your address again."
        ),
    ),
)

_KINDS = {kind.name: kind for kind in KINDS}


def kind_of(name: str) -> Kind | None:
    """The kind with this name; None for one that there was once."""
    return _KINDS.get(name)


def choice_of(kind: str) -> Choice:
    """By which choice a kind is switched. Raises KeyError for an unknown kind."""
    return choice_named(_KINDS[kind].choice)
