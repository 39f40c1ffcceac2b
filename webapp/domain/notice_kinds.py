"""The kinds of notices and their words: one table.

Whoever has something new to tell adds a `Kind` here (and a choice to `notices`, if no present one fits), and hands
drafts of it to `services.notices.book`. The sentences name what a notice's `detail` holds: `service`, `amount`,
`deadline`, `name`; nothing secret and no whole address may be in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.notices import Choice, choice_named


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice. `fragment` leads to the action on the thing's page."""

    name: str
    choice: str
    title: str
    sentence: str
    fragment: str = ""


ACTION = "escrow-actions-title"

# Where the buttons of an escrow are on its page.
ACTION = "escrow-actions-title"

KINDS = (
    Kind(
        "pays.delivered",
        "pays.delivered",
        "Result delivered",
        "{service}: check the result, then release {amount} or say what is wrong, by {deadline}.",
        ACTION,
    ),
    Kind(
        "pays.funded",
        "pays.funded",
        "Escrow paid for",
        "{service}: {amount} have arrived and are locked until the work is done.",
    ),
    Kind(
        "pays.disputed",
        "pays.disputed",
        "Escrow disputed",
        "{service}: the provider objects. {amount} stay where they are until it is decided.",
        ACTION,
    ),
    Kind("pays.released", "pays.ended", "Escrow released", "{service}: {amount} were released."),
    Kind("pays.refunded", "pays.ended", "Escrow refunded", "{service}: {amount} are back in your balance."),
    Kind(
        "pays.cancelled",
        "pays.ended",
        "Escrow ended",
        "{service}: nothing had been paid in, and nothing happens any more.",
    ),
    Kind(
        "pays.resolved",
        "pays.ended",
        "Escrow divided",
        "{service}: {amount} were divided between both sides.",
    ),
    Kind(
        "pays.fund_soon",
        "pays.deadline",
        "Pay soon",
        "{service}: {amount} have to arrive by {deadline}, or the escrow ends.",
        ACTION,
    ),
    Kind(
        "pays.accept_soon",
        "pays.deadline",
        "Check the result soon",
        "{service}: {amount} are released by themselves at {deadline} unless you object before.",
        ACTION,
    ),
    Kind(
        "provides.new",
        "provides.new",
        "New escrow for you",
        "{service}: {amount}, to be delivered by {deadline}.",
        ACTION,
    ),
    Kind(
        "provides.new_unpaid",
        "provides.new",
        "New escrow for you",
        "{service}: {amount}. Do not begin yet: it waits for the payer’s coins.",
    ),
    Kind(
        "provides.funded",
        "provides.funded",
        "Escrow paid for",
        "{service}: {amount} are locked for you. Deliver the result by {deadline}.",
        ACTION,
    ),
    Kind(
        "provides.disputed",
        "provides.disputed",
        "Escrow disputed",
        "{service}: the payer objects. {amount} stay where they are until it is decided.",
        ACTION,
    ),
    Kind(
        "provides.released", "provides.ended", "Escrow released", "{service}: {amount} were released to you."
    ),
    Kind(
        "provides.refunded",
        "provides.ended",
        "Escrow refunded",
        "{service}: {amount} went back to the payer.",
    ),
    Kind(
        "provides.cancelled",
        "provides.ended",
        "Escrow ended",
        "{service}: it was not paid for. Do not work for it.",
    ),
    Kind(
        "provides.resolved",
        "provides.ended",
        "Escrow divided",
        "{service}: {amount} were divided between both sides.",
    ),
    Kind(
        "provides.deliver_soon",
        "provides.deadline",
        "Deliver soon",
        "{service}: deliver the result by {deadline}, or {amount} go back to the payer.",
        ACTION,
    ),
    Kind(
        "arbiter.dispute",
        "arbiter.dispute",
        "Dispute opened",
        "{service}: {amount} wait for a decision.",
        ACTION,
    ),
    Kind(
        "operator.alert",
        "operator.alert",
        "Alert",
        "{name}: see what it is on the operations page.",
        "operations-alerts",
    ),
    Kind("money.deposit", "money.deposit", "Deposit credited", "{amount} are in your balance."),
    Kind(
        "money.payout_confirmed",
        "money.payout",
        "Paid out",
        "{amount} have arrived at their address on the chain.",
    ),
    Kind(
        "money.payout_failed",
        "money.payout",
        "Payout failed",
        "{amount} were not sent, and are back in your balance.",
    ),
    Kind(
        "money.payout_held",
        "money.payout",
        "Payout held back",
        "{amount} wait until an operator lets them go.",
    ),
    Kind("money.airdrop", "money.airdrop", "Share of the community fund", "Your nodes were given {amount}."),
    Kind(
        "security.log_in",
        "security",
        "New log-in",
        "Somebody logged in with {name}. If it was not you, end that session and change your password.",
    ),
    Kind("security.password", "security", "Password changed", "If it was not you, tell an operator at once."),
    Kind("security.key_made", "security", "Signing key made", "The key {name} may act in your name."),
    Kind(
        "security.key_revoked", "security", "Signing key revoked", "The key {name} is worth nothing any more."
    ),
    Kind(
        "security.second_factor",
        "security",
        "Second factor changed",
        "If it was not you, tell an operator at once.",
    ),
    Kind(
        "security.wallet_frozen",
        "security",
        "Wallet frozen",
        "Nothing leaves the wallet {name} until an operator gives it back to you.",
    ),
    Kind(
        "security.mail_refused",
        "security",
        "Mail refused",
        "Your mail server refused our mail for good. Nothing more is sent until you confirm your address again.",
    ),
)

_KINDS = {kind.name: kind for kind in KINDS}


def kind_of(name: str) -> Kind | None:
    """The kind with this name; None for one that there was once."""
    return _KINDS.get(name)


def choice_of(kind: str) -> Choice:
    """By which choice a kind is switched. Raises KeyError for an unknown kind."""
    return choice_named(_KINDS[kind].choice)
