"""The names under which the service keeps what concerns its operators, as they are shown: in the reader's language.

A name that is not listed is shown as it is kept, with spaces for its underscores.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

_TITLES = {
    # Alerts
    "deposit_lost": _l("Deposit lost"),
    "unexplained_coins": _l("Unexplained coins"),
    "outage": _l("Outage"),
    "reserves_short": _l("Reserves short"),
    "hot_wallet_short": _l("Hot wallet short"),
    "daemon_wallet_locked": _l("Daemon wallet locked"),
    "cold_address_refused": _l("Cold address refused"),
    "sweep_waits": _l("Sweep waits"),
    "payouts_halted": _l("Payouts halted"),
    "payout_stuck": _l("Payout stuck"),
    "payout_replaced": _l("Payout replaced"),
    "payout_conflict": _l("Payout conflict"),
    "transaction_undone": _l("Transaction undone"),
    "transaction_came_back": _l("Transaction came back"),
    "airdrop_overdue": _l("Airdrop overdue"),
    "airdrop_blocked": _l("Airdrop blocked"),
    "airdrop_partly_failed": _l("Airdrop partly failed"),
    "evidence_damaged": _l("Evidence damaged"),
    "no_arbiter": _l("No arbiter is free"),
    # What operators do
    "acknowledge_alert": _l("Acknowledge alert"),
    "approve_payout": _l("Approve payout"),
    "refuse_payout": _l("Refuse payout"),
    "hold_payout": _l("Hold payout"),
    "resume_payout": _l("Resume payout"),
    "return_payout": _l("Return payout"),
    "rebroadcast_payout": _l("Rebroadcast payout"),
    "raise_fee_payout": _l("Raise fee payout"),
    "accept_payout": _l("Accept payout"),
    "queue_again_payout": _l("Queue again payout"),
    "return_unpaid_payout": _l("Return unpaid payout"),
    "halt_payouts": _l("Halt payouts"),
    "resume_payouts": _l("Resume payouts"),
    "freeze_wallet": _l("Freeze wallet"),
    "unfreeze_wallet": _l("Unfreeze wallet"),
    "assign_coin": _l("Assign coin"),
    "mark_coin_as_ours": _l("Mark coin as ours"),
    "sweep": _l("Sweep"),
    "take_refill_address": _l("Take refill address"),
    "sign_cold_storage": _l("Sign cold storage"),
    "give_airdrop": _l("Give airdrop"),
    "change_fund_rules": _l("Change fund rules"),
    "withdraw_fund_rules": _l("Withdraw fund rules"),
    "update_node": _l("Update node"),
    "suspend_node": _l("Suspend node"),
    "reinstate_node": _l("Reinstate node"),
    "reset_second_factor": _l("Reset second factor"),
    "dispute_propose": _l("Propose in a dispute"),
    "dispute_rule": _l("Rule on a dispute"),
    "dispute_vote": _l("Vote on a dispute"),
    "dispute_step_down": _l("Step down from a dispute"),
    # Tasks of the worker
    "addresses": _l("Addresses"),
    "deposits": _l("Deposits"),
    "daemon_figures": _l("Daemon figures"),
    "fair_clocks": _l("Fair clocks"),
    "escrow_clock": _l("Escrow clock"),
    "escrow_terms": _l("Escrow terms"),
    "dispute_clock": _l("Dispute clock"),
    "payouts": _l("Payouts"),
    "reconciliation": _l("Reconciliation"),
    "integrity": _l("Integrity"),
    "reputation": _l("Reputation"),
    "airdrops": _l("Airdrops"),
    "settlement": _l("Settlement"),
    "hot_wallet": _l("Hot wallet"),
    "upkeep": _l("Upkeep"),
    "payout_deadlines": _l("Payout deadlines"),
    "airdrop_watch": _l("Airdrop watch"),
    "solvency": _l("Solvency"),
    "notices": _l("Notices"),
    "checkpoints": _l("Checkpoints"),
    "fund_figures": _l("Fund figures"),
    "audit_trails": _l("Audit trails"),
    "housekeeping": _l("Housekeeping"),
    "old_notices": _l("Old notices"),
    "evidence_orphans": _l("Evidence orphans"),
    "sessions": _l("Sessions"),
}
_WORDS = {
    # Why payouts are halted
    "operator": _l("operator"),
    "integrity": _l("integrity"),
    "reorganisation": _l("reorganisation"),
    # Parts of the service that can fail
    "worker": _l("worker"),
    "daemon": _l("daemon"),
    "site": _l("site"),
    "service": _l("service"),
}


def kept_title(name: str) -> str:
    """An alert, a deed or a task by its name, as the beginning of a line: `Payout stuck`."""
    return str(_TITLES[name]) if name in _TITLES else name.replace("_", " ").capitalize()


def kept_word(name: str) -> str:
    """A cause or a part of the service by its name, in the midst of a text: `reorganisation`."""
    return str(_WORDS.get(name, name))
