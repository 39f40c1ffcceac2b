"""The proof of solvency: what is true verifies, and whatever is changed, left out or counted twice is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.address_keys import REGTEST_VERSION, AddressKey
from webapp import ROOT
from webapp.domain.solvency import (
    CoinsAt,
    Leaf,
    Node,
    RefusedError,
    Statement,
    Tree,
    climb,
    in_order,
    load,
    message_of,
    verify,
)
from webapp.domain.solvency.reading import LARGEST_SUM, flop
from webapp.domain.solvency.signed_messages import MAGICS, find_magic, is_signed_by
from webapp.domain.solvency.verification import KINDS, PROOF_FORMAT

LEFT_OUT = object()
MAGIC = "Flopcoin Signed Message:\n"

amounts = st.integers(min_value=0, max_value=10**15)
books = st.dictionaries(
    st.sampled_from([f"wallet:{n}" for n in range(1, 12)]),
    st.fixed_dictionaries({kind: amounts for kind in KINDS}),
    min_size=1,
)


HOT, COLD = [AddressKey(1), AddressKey(2)], AddressKey(3)


def leaves_of(balances: dict[str, dict[str, int]], seed: int = 0) -> list[Leaf]:
    chance = random.Random(seed)
    leaves = []
    for owner, kinds in balances.items():
        for kind, amount in kinds.items():
            part = chance.randint(0, amount)
            for number, each in enumerate((part, amount - part), 1):
                if each:
                    leaves.append(Leaf(f"{owner}:{kind}:{number}", each, chance.randbytes(32)))
    return in_order(leaves)


def tree_of(leaves: list[Leaf]) -> Tree:
    return Tree([leaf.node for leaf in leaves])


def statement_over(tree: Tree, *, cold: int = 0, other: int = 0, missing: int = 0) -> Statement:
    signing = max(tree.root.sum - cold - other - missing, 0)
    return Statement(
        network="regtest",
        made_at="2026-01-31T12:00:00Z",
        block_height=321,
        block_hash="ab" * 32,
        root=tree.root,
        coins=(CoinsAt(HOT[0].address, signing - signing // 3), CoinsAt(HOT[1].address, signing // 3)),
        other_coins=other,
        cold_storage=(CoinsAt(COLD.address, cold),),
        message_magic=MAGIC,
        address_version=REGTEST_VERSION,
    )


def document_of(statement: Statement, *, cold_key: AddressKey | None = None) -> dict[str, Any]:
    message = message_of(statement)
    cold = {cold_key.address: cold_key.sign(message, MAGIC)} if cold_key else {}
    return statement.document({key.address: key.sign(message, MAGIC) for key in HOT}, cold)


def proof_of(
    owner: str, leaves: list[Leaf], balances: dict[str, dict[str, int]], document: Any
) -> dict[str, Any]:
    tree = tree_of(leaves)
    return {
        "format": PROOF_FORMAT,
        "owner": owner,
        "balance": flop(sum(balances[owner].values())),
        **{kind: flop(amount) for kind, amount in balances[owner].items()},
        "leaves": [
            {
                "label": leaf.label,
                "amount": flop(leaf.amount),
                "nonce": leaf.nonce.hex(),
                "position": place,
                "path": [{"hash": node.hash.hex(), "sum": flop(node.sum)} for node in tree.path(place)],
            }
            for place, leaf in enumerate(leaves)
            if leaf.label.startswith(f"{owner}:")
        ],
        "document": document,
    }


def example() -> tuple[dict[str, Any], dict[str, dict[str, int]], list[Leaf]]:
    """A proof of three balances' tree, whose coins lie in hot and cold storage; both have signed."""
    balances = {
        f"wallet:{n}": {"available": n * 10**8, "held": n * 7, "arriving": 5, "leaving": 1} for n in (1, 2, 3)
    }
    leaves = leaves_of(balances)
    statement = statement_over(tree_of(leaves), cold=10**8)
    return proof_of("wallet:2", leaves, balances, document_of(statement, cold_key=COLD)), balances, leaves


@settings(max_examples=40)
@given(books, st.integers(0, 10**6))
def test_every_owner_s_proof_verifies_whatever_the_balances(balances: Any, seed: int) -> None:
    leaves = leaves_of(balances, seed)
    tree = tree_of(leaves)
    assert tree.root.sum == sum(sum(kinds.values()) for kinds in balances.values())
    document = document_of(statement_over(tree))

    for owner in (owner for owner, kinds in balances.items() if any(kinds.values())):
        verdict = verify(json.loads(json.dumps(proof_of(owner, leaves, balances, document))))
        assert verdict.is_good, verdict.lines
        assert verdict.doubts == []


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every field of a document, lists and objects included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [place for key, item in inner for place in _places(item, (*path, key))]


def _other(value: Any) -> list[Any]:
    """What somebody might put in the place of a value."""
    if isinstance(value, int):
        return [value + 1, value ^ 1, -1, str(value), None, float(value), 10**30]
    if isinstance(value, str):
        changed = value[:-1] + ("0" if value[-1] != "0" else "1")
        return [
            changed,
            value[::-1] + "1",
            value.upper() + "A",
            value + " ",
            "",
            f"-{value}",
            None,
            [value],
            1,
        ]
    if isinstance(value, list):
        return [value[:-1], [*value, *value[-1:]], {}, None] if value else [[{}], [1], None]
    return (
        [{**value, "more": "1"}, dict(list(value.items())[1:]), [], None] if value else [{"more": "1"}, None]
    )


PROOF, BALANCES, LEAVES = example()


def _forgeries() -> Iterator[tuple[str, Any]]:
    """The proof with one field exchanged or left out, for every field and many values."""
    for place in _places(PROOF):
        value: Any = PROOF
        for key in place:
            value = value[key]
        for replacement in [*_other(value), LEFT_OUT]:
            forged = copy.deepcopy(PROOF)
            holder: Any = forged
            for key in place[:-1]:
                holder = holder[key]
            if replacement is LEFT_OUT:
                del holder[place[-1]]
            else:
                holder[place[-1]] = replacement
            yield f"{place} as {replacement}", forged


def test_whatever_field_is_changed_or_left_out_is_refused() -> None:
    # Without cold storage's signature it is no forgery: what lies there is shown as unsigned then.
    unsigned = copy.deepcopy(PROOF)
    unsigned["document"]["cold_signatures"] = {}
    assert verify(PROOF).is_good and verify(PROOF).doubts == []
    assert verify(unsigned).is_good and verify(unsigned).doubts != []

    forgeries = [(what, forged) for what, forged in _forgeries() if forged not in (PROOF, unsigned)]
    assert len(forgeries) > 500
    for what, forged in forgeries:
        verdict = verify(forged)
        assert not verdict.is_good, (what, verdict.lines)
        assert verdict.lines[-1].startswith("REFUSED: ")


@settings(max_examples=150)
@given(st.data())
def test_a_character_changed_anywhere_in_the_file_is_refused(data: st.DataObject) -> None:
    written = json.dumps(PROOF)
    position = data.draw(st.integers(0, len(written) - 1))
    character = data.draw(st.characters(codec="ascii", exclude_characters=written[position]))
    forged = written[:position] + character + written[position + 1 :]
    try:
        document = load(forged)
    except RefusedError:
        return
    assert document == PROOF or not verify(document).is_good


def test_a_balance_that_was_left_out_of_the_tree_cannot_be_proved() -> None:
    without = [leaf for leaf in LEAVES if leaf.label != "wallet:2:available:1"]
    statement = statement_over(tree_of(without))
    assert verify(proof_of("wallet:2", LEAVES, BALANCES, document_of(statement))).is_good is False
    # Leaving the leaf out of the proof, too, does not help: the balance is then another one.
    assert verify(proof_of("wallet:2", without, BALANCES, document_of(statement))).is_good is False


def test_two_owners_cannot_be_shown_the_same_leaf_and_none_counts_twice() -> None:
    twice = copy.deepcopy(PROOF)
    twice["leaves"].append(twice["leaves"][0])
    doubled = next(kind for kind in KINDS if f":{kind}:" in twice["leaves"][0]["label"])
    for name in (doubled, "balance"):
        more = int(twice[name].replace(".", "")) + int(twice["leaves"][0]["amount"].replace(".", ""))
        twice[name] = flop(more)
    assert "counted twice" in verify(twice).lines[-1]

    other = copy.deepcopy(PROOF)
    other["owner"] = "wallet:3"
    assert "is not one of wallet:3" in verify(other).lines[-1]


def test_a_repeated_last_leaf_makes_another_root() -> None:
    odd = LEAVES[:3]
    assert tree_of(odd).root != tree_of([*odd, odd[-1]]).root
    assert tree_of(odd).root.sum == sum(leaf.amount for leaf in odd)
    assert Tree([]).root.sum == 0


@given(st.integers(1, 70))
def test_a_path_is_the_same_when_the_tree_is_put_together_from_blocks(count: int) -> None:
    nodes = [Leaf(f"fund:available:{n}", n, bytes(32)).node for n in range(count)]
    tree = Tree(nodes)
    above = Tree(tree.level(min(3, tree.height)))
    assert above.root == tree.root
    for place in range(count):
        block = Tree(nodes[place & ~7 : (place | 7) + 1], 3 if above.height else 0)
        assert block.path(place & 7) + above.path(place >> 3) == tree.path(place)


@pytest.mark.parametrize("amount", [-1, LARGEST_SUM + 1])
def test_no_amount_and_no_sum_is_negative_or_beyond_what_can_exist(amount: int) -> None:
    with pytest.raises(RefusedError):
        tree_of([Leaf("wallet:1:available:1", amount, bytes(32))])
    with pytest.raises(RefusedError):
        Node(bytes(32), amount)


def test_sums_that_overflow_together_are_refused_on_their_level() -> None:
    leaves = [Leaf("fund:1", LARGEST_SUM, bytes(32)), Leaf("fund:2", 1, bytes(32))]
    with pytest.raises(RefusedError, match="more than can exist"):
        tree_of(leaves)
    with pytest.raises(RefusedError, match="outside the tree"):
        climb(leaves[0], 2, [leaves[1].node])


def test_reserves_below_what_is_owed_are_refused_to_the_unit() -> None:
    tree = tree_of(LEAVES)
    assert verify(document_of(statement_over(tree))).is_good
    verdict = verify(document_of(statement_over(tree, missing=1)))
    assert not verdict.is_good
    assert "is owed and only" in verdict.lines[-1]


def test_what_nobody_signed_for_is_a_doubt_and_not_hidden() -> None:
    tree = tree_of(LEAVES)
    unsigned = verify(document_of(statement_over(tree, cold=10**8)))
    assert unsigned.is_good
    assert unsigned.doubts == [
        "1.00000000 FLOP of what is owed is covered by coins for which no signature is given."
    ]
    assert verify(document_of(statement_over(tree, cold=10**8), cold_key=COLD)).doubts == []
    assert verify(document_of(statement_over(tree, other=3))).doubts != []


def test_an_address_cannot_be_counted_twice_nor_signed_for_by_another_key() -> None:
    tree = tree_of(LEAVES)
    honest = statement_over(tree)
    same = CoinsAt(HOT[0].address, honest.signing)
    twice = Statement(**{**_fields(honest), "coins": (same, same)})
    assert "counted twice" in verify(document_of(twice)).lines[-1]

    stolen = document_of(honest)
    stolen["signatures"][HOT[0].address] = HOT[1].sign(message_of(honest), MAGIC)
    assert HOT[0].address in verify(stolen).lines[-1]


def _fields(statement: Statement) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in Statement.__slots__}


def test_a_signature_of_a_real_flopcoin_daemon_is_recognised() -> None:
    transcript = json.loads((ROOT / "tests" / "data" / "flopcoin_transcript.json").read_text())
    call = next(each for each in transcript if each["request"]["method"] == "signmessage")
    address, message = call["request"]["params"]
    signature = call["response"]["result"]

    assert find_magic(address, REGTEST_VERSION, signature, message) == MAGIC
    assert not is_signed_by(address, 35, signature, message, MAGIC)
    assert not is_signed_by(address, REGTEST_VERSION, signature, message + "!", MAGIC)
    for magic in MAGICS:
        assert is_signed_by(HOT[0].address, REGTEST_VERSION, HOT[0].sign(message, magic), message, magic)


@given(st.text(), st.text(), st.binary(max_size=70))
def test_no_signature_however_odd_makes_the_check_fail_otherwise_than_by_no(
    address: str, message: str, raw: bytes
) -> None:
    signature = base64.b64encode(raw).decode()
    assert not is_signed_by(address, REGTEST_VERSION, signature, message, MAGIC)
    padded = base64.b64encode(raw[:65].ljust(65, b"\x1f")).decode()
    assert not is_signed_by(HOT[0].address, REGTEST_VERSION, padded, message, MAGIC)


def test_what_is_signed_is_the_canonical_json_of_the_statement() -> None:
    statement = statement_over(tree_of(LEAVES))
    digest = hashlib.sha256(rfc8785.dumps(statement.as_json())).hexdigest()
    assert message_of(statement) == f"DuxOS Escrow solvency statement {digest}"


@pytest.mark.parametrize("text", ["", "[", '{"a": 1, "a": 2}', '{"a": 1.5}', '{"a": NaN}', "[" * 100_000])
def test_a_file_that_is_no_such_document_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(RefusedError, match="not a JSON document"):
        load(text)


def test_the_command_needs_nothing_but_its_folder_and_the_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "webapp" / "domain" / "solvency", tmp_path / "solvency")
    file = tmp_path / "proof.json"

    def run(*options: str) -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "solvency", "verify", str(file), *options]
        done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    file.write_text(json.dumps(PROOF))
    status, said = run("--strict")
    assert (status, said[-1]) == (0, "OK")
    assert any(line.startswith("The balance of wallet:2, 2.00000020 FLOP") for line in said)

    unsigned = {**PROOF, "document": {**PROOF["document"], "cold_signatures": {}}}
    file.write_text(json.dumps(unsigned))
    assert run()[0] == 0
    assert run("--strict")[0] == 1

    file.write_text(json.dumps(PROOF).replace('"2.00000020"', '"2.00000021"'))
    status, said = run()
    assert (status, said[-1]) == (1, "NOT GOOD")
    file.unlink()
    assert run()[0] == 2
