"""From terms to their document, in the normal form that is stored: times in UTC, nothing since the creation."""

from __future__ import annotations

import json
from typing import Any

from webapp.domain.clock import to_rfc3339
from webapp.domain.terms.language import (
    After,
    AgreeingResults,
    AllOf,
    AnyOf,
    AtLeast,
    AttestedBy,
    Before,
    Condition,
    DeliveredWithin,
    Height,
    Not,
    PayerApproves,
    PreimageOf,
    ProviderSignsResult,
    ResultHashIs,
    SinceDelivery,
    Terms,
    Time,
    VerifierApproves,
    When,
)


def as_document(terms: Terms) -> dict[str, Any]:
    """What `read_terms` reads back as equal terms, given the same creation."""
    document = {"release_when": condition_as_document(terms.release_when)}
    if terms.refund_when is not None:
        document["refund_when"] = condition_as_document(terms.refund_when)
    return document


def condition_as_document(condition: Condition) -> dict[str, Any]:
    """One condition, with all that is in it."""
    match condition:
        case AllOf(of):
            return {"all_of": [condition_as_document(each) for each in of]}
        case AnyOf(of):
            return {"any_of": [condition_as_document(each) for each in of]}
        case AtLeast(count, of):
            return {"at_least": {"count": count, "of": [condition_as_document(each) for each in of]}}
        case Not(inner):
            return {"not": condition_as_document(inner)}
        case PayerApproves():
            return {"payer_approves": True}
        case ProviderSignsResult():
            return {"provider_signs_result": True}
        case VerifierApproves():
            return {"verifier_approves": True}
        case ResultHashIs(result_hash):
            return {"result_hash_is": result_hash}
        case PreimageOf(sha256):
            return {"preimage_of": sha256}
        case AttestedBy(key_id, statement):
            return {"attested_by": {"key_id": key_id, "statement": json.loads(statement)}}
        case AgreeingResults(count, nodes):
            return {"agreeing_results": {"count": count, "of": list(nodes)}}
        case After(when):
            return {"after": _when(when)}
        case Before(when):
            return {"before": _when(when)}
        case DeliveredWithin(by):
            return {"delivered_within": _when(by)}


def _when(when: When) -> dict[str, Any]:
    match when:
        case Time(at):
            return {"time": to_rfc3339(at)}
        case SinceDelivery(hours):
            return {"hours": hours, "since": "delivery"}
        case Height(height):
            return {"height": height}
