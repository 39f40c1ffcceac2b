"""The kinds of notices that are about no escrow: money that came or went, the safety of an account, alerts."""

from __future__ import annotations

from webapp.domain.notices import Kind
from webapp.domain.said import said

ACCOUNT_KINDS = (
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
