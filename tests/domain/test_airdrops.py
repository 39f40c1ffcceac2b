"""Who gets how much of an airdrop: sums, caps, order, and that anybody can repeat it from the document."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.airdrops import Decision, NodeFacts, Refusal, Snapshot, decide, hash_of
from webapp.domain.airdrops.snapshot import FORMAT
from webapp.domain.canonical import canonical_json
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import ZERO, Amount

FLOP = 100_000_000
RULES = FundRules(
    airdrop_threshold=Amount.parse(100),
    min_airdrop_amount=Amount.parse(1),
    airdrop_interval_hours=24,
    max_airdrop_nodes=1000,
    airdrop_shares="equal",
    max_nodes_per_owner=5,
    waiting_period_hours=24,
    min_settled_escrows=1,
    min_settled_amount=Amount.parse(20),
    settled_within_days=30,
)


def taken(nodes: list[NodeFacts], balance: str = "100", set_aside: str = "0", **rules: object) -> Snapshot:
    return Snapshot(
        airdrop_id="0190b0a0-0000-7000-8000-000000000001",
        number=1,
        taken_at=datetime(2024, 5, 1, 12, tzinfo=UTC),
        block_height=7,
        block_hash="ab" * 32,
        balance=Amount.parse(balance),
        set_aside=Amount.parse(set_aside, allow_zero=True),
        rules=replace(RULES, **rules),  # type: ignore[arg-type]
        nodes=tuple(nodes),
    )


def decided(snapshot: Snapshot) -> Decision:
    return decide(snapshot, hash_of(snapshot.document()))


def shares(snapshot: Snapshot) -> dict[str, str]:
    return {share.node_id: str(share.amount) for share in decided(snapshot).shares}


facts = st.builds(
    NodeFacts,
    node_id=st.text("abcdef", min_size=1, max_size=6),
    owner=st.sampled_from("wxyz"),
    reputation=st.integers(0, 1000),
    refusals=st.sampled_from([(), (), (Refusal.OFFLINE,), (Refusal.NEW, Refusal.UNVERIFIED)]),
)
snapshots = st.builds(
    taken,
    nodes=st.lists(facts, max_size=25, unique_by=lambda node: node.node_id),
    balance=st.integers(1, 200 * FLOP).map(lambda units: str(Amount(units))),
    set_aside=st.integers(0, 20 * FLOP).map(lambda units: str(Amount(units))),
    airdrop_shares=st.sampled_from(["equal", "reputation"]),
    max_airdrop_nodes=st.integers(1, 10),
    max_nodes_per_owner=st.integers(1, 4),
    min_airdrop_amount=st.integers(1, 20 * FLOP).map(Amount),
)


@given(snapshots, st.randoms())
def test_every_decision_keeps_the_rules(snapshot: Snapshot, chance: object) -> None:
    decision, rules = decided(snapshot), snapshot.rules
    by_id = {node.node_id: node for node in snapshot.nodes}
    chosen = [by_id[share.node_id] for share in decision.shares]
    amounts = [share.amount for share in decision.shares]
    pot = max(snapshot.balance.base_units - snapshot.set_aside.base_units, 0)

    assert decision.total.base_units == sum(amount.base_units for amount in amounts) <= pot
    assert all(amount >= rules.min_airdrop_amount for amount in amounts)
    assert len(chosen) <= rules.max_airdrop_nodes
    assert not any(node.refusals for node in chosen)
    assert max(Counter(node.owner for node in chosen).values(), default=0) <= rules.max_nodes_per_owner
    assert {node.node_id for node in chosen} | decision.refusals.keys() == by_id.keys()
    assert {node.node_id for node in chosen}.isdisjoint(decision.refusals)
    assert [node.reputation for node in chosen] == sorted((node.reputation for node in chosen), reverse=True)
    if chosen:
        assert pot - decision.total.base_units < len(chosen), "only what does not divide stays"
        assert amounts == sorted(amounts, reverse=True)
        assert rules.airdrop_shares == "reputation" or len(set(amounts)) == 1

    mixed = list(snapshot.nodes)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    again = replace(snapshot, nodes=tuple(mixed))
    assert again.document() == snapshot.document()
    assert decided(again) == decision


@given(snapshots)
def test_a_stranger_comes_to_the_same_from_the_document_alone(snapshot: Snapshot) -> None:
    document = snapshot.document()
    assert [(share.node_id, str(share.amount)) for share in decided(snapshot).shares] == recomputed(document)


def recomputed(text: str) -> list[tuple[str, str]]:
    """Written from the description of the algorithm, with nothing of ours."""
    document, seed = json.loads(text), hashlib.sha256(text.encode()).hexdigest()
    rules = document["rules"]

    def tie(node_id: str) -> str:
        return hashlib.sha256(f"{seed}:{node_id}".encode()).hexdigest()

    def units(amount: str) -> int:
        return int(amount.replace(".", ""))

    eligible = [node for node in document["nodes"] if not node["refusals"]]
    eligible.sort(key=lambda node: (-node["reputation"], tie(node["node_id"])))
    of_owner: dict[str, int] = {}
    chosen = []
    for node in eligible:
        of_owner[node["owner"]] = of_owner.get(node["owner"], 0) + 1
        if of_owner[node["owner"]] <= rules["max_nodes_per_owner"]:
            chosen.append(node)
    chosen = chosen[: rules["max_airdrop_nodes"]]
    pot = max(units(document["balance"]) - units(document["set_aside"]), 0)
    while chosen:
        is_equal = rules["airdrop_shares"] == "equal"
        weights = [1 if is_equal else node["reputation"] for node in chosen]
        if sum(weights) and pot * weights[-1] // sum(weights) >= units(rules["min_airdrop_amount"]):
            parts = [pot * weight // sum(weights) for weight in weights]
            return [
                (node["node_id"], f"{part // FLOP}.{part % FLOP:08}")
                for node, part in zip(chosen, parts, strict=True)
            ]
        chosen.pop()
    return []


def test_equal_shares_leave_less_than_a_unit_for_each() -> None:
    nodes = [NodeFacts(f"node-{number}", f"owner-{number}", 500) for number in range(3)]
    assert set(shares(taken(nodes)).values()) == {"33.33333333"}
    assert str(decided(taken(nodes)).total) == "99.99999999"
    assert set(shares(taken(nodes, set_aside="0.1")).values()) == {"33.30000000"}


def test_shares_by_reputation_are_in_proportion_and_the_last_is_left_out_below_the_least() -> None:
    nodes = [NodeFacts("good", "a", 600), NodeFacts("fair", "b", 395), NodeFacts("poor", "c", 5)]
    by_reputation = taken(nodes, airdrop_shares="reputation")
    # 5 of 1000 parts of 100 FLOP would be half a FLOP; what the two others share is divided anew.
    assert shares(by_reputation) == {"good": "60.30150753", "fair": "39.69849246"}
    assert decided(by_reputation).refusals == {"poor": (Refusal.SHARE_TOO_SMALL,)}
    generous = taken(nodes, airdrop_shares="reputation", min_airdrop_amount=Amount.parse("0.5"))
    assert shares(generous) == {"good": "60.00000000", "fair": "39.50000000", "poor": "0.50000000"}


def test_a_node_without_reputation_gets_nothing_by_reputation_and_its_part_in_equal_shares() -> None:
    nodes = [NodeFacts("a", "a", 0), NodeFacts("b", "b", 0)]
    assert shares(taken(nodes, airdrop_shares="reputation")) == {}
    assert shares(taken(nodes)) == {"a": "50.00000000", "b": "50.00000000"}


def test_each_one_left_out_is_told_why() -> None:
    nodes = [
        *(NodeFacts(f"fleet-{number}", "one owner", 900 - number) for number in range(3)),
        NodeFacts("second", "b", 500),
        NodeFacts("third", "c", 400),
        NodeFacts("off", "d", 999, (Refusal.OFFLINE, Refusal.NEW)),
    ]
    decision = decided(taken(nodes, max_nodes_per_owner=2, max_airdrop_nodes=3))
    assert [share.node_id for share in decision.shares] == ["fleet-0", "fleet-1", "second"]
    assert decision.refusals == {
        "fleet-2": (Refusal.OWNER_CAP,),
        "third": (Refusal.TOO_MANY,),
        "off": (Refusal.OFFLINE, Refusal.NEW),
    }
    poor = decided(taken(nodes, "2.5"))
    assert [share.node_id for share in poor.shares] == ["fleet-0", "fleet-1"]
    assert poor.refusals["second"] == (Refusal.SHARE_TOO_SMALL,)
    assert decided(taken(nodes, "1", set_aside="2")).total == ZERO


def test_ties_are_broken_by_the_hash_of_the_snapshot_and_the_node() -> None:
    nodes = [NodeFacts(f"node-{number}", f"owner-{number}", 500) for number in range(6)]
    snapshot = taken(nodes, max_airdrop_nodes=2)
    seed = hash_of(snapshot.document())
    assert seed == hashlib.sha256(snapshot.document().encode()).hexdigest()
    order = sorted(
        (hashlib.sha256(f"{seed}:{node.node_id}".encode()).hexdigest(), node.node_id) for node in nodes
    )
    assert [share.node_id for share in decided(snapshot).shares] == [name for _, name in order[:2]]
    # Another block, another order: nobody can choose an id that is always first.
    orders = {
        tuple(shares(replace(snapshot, block_hash=f"{number:064x}", rules=RULES))) for number in range(20)
    }
    assert len(orders) > 1


def test_the_document_is_canonical_and_says_everything() -> None:
    text = taken([NodeFacts("b", "x", 1), NodeFacts("a", "y", 2, (Refusal.NEW,))]).document()
    document = json.loads(text)
    assert canonical_json(document).decode() == text
    assert (document["format"], document["kind"]) == (FORMAT, "automatic")
    assert (document["balance"], document["set_aside"]) == ("100.00000000", "0.00000000")
    assert document["taken_at"] == "2024-05-01T12:00:00Z"
    assert document["rules"]["min_airdrop_amount"] == "1.00000000"
    assert document["nodes"] == [
        {"node_id": "a", "owner": "y", "reputation": 2, "refusals": ["new"]},
        {"node_id": "b", "owner": "x", "reputation": 1, "refusals": []},
    ]


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_words(refusal: Refusal) -> None:
    assert refusal.words.split()[0] in {"is", "has", "comes", "would"}
