"""Airdrops as plain rules: the facts that are published, and what follows from them for everybody in the same way."""

from webapp.domain.airdrops.decision import Decision, Share, decide
from webapp.domain.airdrops.refusals import Refusal
from webapp.domain.airdrops.snapshot import FORMAT, NodeFacts, Snapshot, hash_of

__all__ = ["FORMAT", "Decision", "NodeFacts", "Refusal", "Share", "Snapshot", "decide", "hash_of"]
