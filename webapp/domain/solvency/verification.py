"""Checking a published statement, or an owner's proof with the statement in it. Plain sentences come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .reading import RefusedError, base_units, fields, flop, hash_bytes, integer, items, text
from .signed_messages import is_signed_by
from .statement import Statement, message_of, read_statement
from .tree import Leaf, Node, climb

PROOF_FORMAT = "duxos-solvency-proof-1"
# What a wallet's balance consists of; the package says what each of them is.
KINDS = ("available", "held", "arriving", "leaving")

_DOCUMENT = ("statement", "message", "signatures", "cold_signatures")
_PROOF = ("format", "owner", "balance", *KINDS, "leaves", "document")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lines` say what was found. `doubts` are what rests on somebody's word alone; a refused document is not good."""

    is_good: bool
    lines: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def verify(document: object) -> Verdict:
    """The verdict on a parsed document of either kind. Never raises for what is in it."""
    lines: list[str] = []
    try:
        is_proof = isinstance(document, dict) and "document" in document
        statement = _check_proof(document, lines) if is_proof else _check_statement(document, lines)
    except RefusedError as refused:
        return Verdict(False, [*lines, f"REFUSED: {refused}."])
    return Verdict(True, lines, _doubts(statement, document))


def _check_statement(document: object, lines: list[str]) -> Statement:
    said, message, signatures, cold_signatures = fields(document, "the document", *_DOCUMENT)
    statement = read_statement(said)
    if message != message_of(statement):
        raise RefusedError("the text that was signed belongs to another statement, or this one was changed")
    _check_signatures(statement, signatures, cold_signatures)
    if statement.reserves < statement.liabilities:
        raise RefusedError(
            f"{flop(statement.liabilities)} FLOP is owed and only {flop(statement.reserves)} FLOP is there"
        )
    lines += [
        f"Statement {message.rpartition(' ')[2]}, made {statement.made_at} "
        f"at block {statement.block_height} of the {statement.network} network ({statement.block_hash}).",
        f"Owed: {flop(statement.liabilities)} FLOP. There: {flop(statement.reserves)} FLOP. It is covered.",
        f"{len(statement.coins)} addresses that hold {flop(statement.signing)} FLOP have signed it.",
    ]
    return statement


def _check_signatures(statement: Statement, signatures: object, cold_signatures: object) -> None:
    if not isinstance(signatures, dict) or signatures.keys() != {coins.address for coins in statement.coins}:
        raise RefusedError("every address that holds coins must have signed, and no other")
    stored = {coins.address for coins in statement.cold_storage}
    if not isinstance(cold_signatures, dict) or not cold_signatures.keys() <= stored:
        raise RefusedError("there is a signature of an address that is not in cold storage")
    for address, signature in [*signatures.items(), *cold_signatures.items()]:
        _check_signature(statement, address, signature)


def _check_signature(statement: Statement, address: str, signature: object) -> None:
    magic, version = statement.message_magic, statement.address_version
    if not isinstance(signature, str) or not is_signed_by(
        address, version, signature, message_of(statement), magic
    ):
        raise RefusedError(f"the signature of {address} is not of this address, or not of this statement")


def _check_proof(proof: object, lines: list[str]) -> Statement:
    found = dict(zip(_PROOF, fields(proof, "the proof", *_PROOF), strict=True))
    if found["format"] != PROOF_FORMAT:
        raise RefusedError("the proof is of a format that is not known here")
    owner = text(found["owner"], "owner")
    stated = {kind: base_units(found[kind], kind) for kind in KINDS}
    if sum(stated.values()) != base_units(found["balance"], "balance"):
        raise RefusedError("the balance stated is not the sum of its kinds")
    statement = _check_statement(found["document"], lines)
    counted = _count(owner, items(found["leaves"], "leaves"), statement.root)
    for kind, amount in stated.items():
        if counted.get(kind, 0) != amount:
            raise RefusedError(f"{flop(amount)} FLOP is stated as {kind}; the tree counts another amount")
    parts = ", ".join(f"{flop(amount)} {kind}" for kind, amount in stated.items() if amount)
    lines += [
        f"The balance of {owner}, {found['balance']} FLOP ({parts or 'nothing'}), is counted in what is owed.",
    ]
    return statement


def _count(owner: str, leaves: Iterable[object], root: Node) -> dict[str, int]:
    """What the leaves add up to, kind by kind, once each of them is known to be the owner's and in the tree."""
    counted: defaultdict[str, int] = defaultdict(int)
    places: set[int] = set()
    depths: set[int] = set()
    for number, item in enumerate(leaves, 1):
        label, amount, nonce, place, path = fields(
            item, f"leaf {number}", "label", "amount", "nonce", "position", "path"
        )
        leaf = Leaf(text(label, "label"), base_units(amount, "amount"), hash_bytes(nonce, "nonce"))
        if not leaf.amount:
            raise RefusedError(f"leaf {number} holds nothing")
        neighbours = [_neighbour(node) for node in items(path, "path")]
        position = integer(place, "position")
        if climb(leaf, position, neighbours) != root:
            raise RefusedError(f"leaf {number} is not in the tree of the statement, or not with this amount")
        places.add(position)
        depths.add(len(neighbours))
        if len(places) < number or len(depths) > 1:
            raise RefusedError(f"leaf {number} stands where another one stands: it is counted twice")
        counted[_kind_of(leaf.label, owner)] += leaf.amount
    if not places:
        raise RefusedError("a proof without a leaf proves nothing")
    return counted


def _kind_of(label: str, owner: str) -> str:
    prefix, kind, number = [*label.rsplit(":", 2), "", ""][:3]
    if prefix != owner or kind not in KINDS or not number.isdecimal():
        raise RefusedError(f"the leaf {label} is not one of {owner}")
    return kind


def _neighbour(node: object) -> Node:
    hashed, total = fields(node, "a node of a path", "hash", "sum")
    return Node(hash_bytes(hashed, "hash"), base_units(total, "sum"))


def _doubts(statement: Statement, document: Any) -> list[str]:
    signers = document.get("document", document)["cold_signatures"]
    signed = statement.signing + sum(c.amount for c in statement.cold_storage if c.address in signers)
    if signed >= statement.liabilities:
        return []
    rest = flop(statement.liabilities - signed)
    return [f"{rest} FLOP of what is owed is covered by coins for which no signature is given."]
