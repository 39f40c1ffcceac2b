"""The timeline of an escrow whose sides negotiate, or that was divided: by what they agreed on, or by a ruling."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from webapp.domain.escrow_states import Party
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.models import EscrowTransaction
from webapp.web.formats import money

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "offered": (said("Split offered"), "split", "moving"),
    "offer_declined": (said("Offer declined"), "cross", "plain"),
    "offer_withdrawn": (said("Offer withdrawn"), "refund", "plain"),
}


def offer_note(entry: EscrowTransaction) -> str:
    """What an offer is, or was. Empty for other events."""
    detail = entry.detail
    match entry.kind:
        case "offered":
            parts = _(
                "%(provider)s to the provider, %(fund)s to the community fund, %(payer)s back to the payer.",
                **_parts(detail),
            )
            message = detail.get("message", "")
            return f"{parts} “{message}”" if message else parts
        case "offer_declined" | "offer_withdrawn":
            share = Amount.parse(detail.get("share", "0"), allow_zero=True)
            return _("It was the one of %(share)s for the provider’s side.", share=money(share))
    return ""


def division_note(entry: EscrowTransaction) -> str:
    """Who got what of an escrow that was ended by an agreement or a ruling. Empty when it ended otherwise."""
    if entry.kind not in ("released", "refunded", "resolved"):
        return ""
    parts = _parts(entry.detail)
    match entry.detail.get("by"):
        case Party.AGREEMENT:
            return _(
                "Both sides agreed: %(provider)s went to the provider, %(fund)s to the community fund, and %(payer)s "
                "back to the payer.",
                **parts,
            )
        case Party.RULING:
            return _(
                "It was ruled: %(provider)s went to the provider, %(fund)s to the community fund, and %(payer)s back "
                "to the payer.",
                **parts,
            )
    return ""


def _parts(detail: dict[str, Any]) -> dict[str, str]:
    names = {"provider": "provider_amount", "fund": "community_amount", "payer": "refunded_amount"}
    return {
        name: money(Amount.parse(detail[key], allow_zero=True) if key in detail else ZERO)
        for name, key in names.items()
    }
