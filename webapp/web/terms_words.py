"""What happens under an escrow's own terms, in the words of its timeline."""

from __future__ import annotations

from flask_babel import gettext as _

from webapp.domain.said import said
from webapp.models import EscrowTransaction

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "approved": (said("Approved"), "done", "good"),
    "revealed": (said("Secret revealed"), "key", "moving"),
    "attested": (said("Attested"), "shield", "moving"),
    "node_result": (said("Result of a node"), "nodes", "moving"),
    "height_reached": (said("Block reached"), "box", "moving"),
}


def terms_note(entry: EscrowTransaction) -> str:
    """What the event means."""
    detail = entry.detail
    match entry.kind:
        case "approved" if detail.get("by") == "verifier":
            return _("The verifier says that the result is good.")
        case "approved":
            return _("The payer says that the result is good.")
        case "revealed":
            return _("In hexadecimal: %(secret)s.", secret=detail.get("preimage", ""))
        case "attested":
            return _("By the key %(key)s, as it was agreed.", key=detail.get("key_id", ""))
        case "node_result":
            return _(
                "%(node)s has come to %(hash)s.",
                node=detail.get("node_id", ""),
                hash=detail.get("result_hash", ""),
            )
    return _("The chain has come to block %(height)s.", height=str(detail.get("height", "")))
