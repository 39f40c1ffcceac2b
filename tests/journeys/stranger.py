"""Somebody who trusts nobody works out an airdrop from its published snapshot, with what the fund's page says.

    python -I stranger.py SNAPSHOT

Prints a JSON object with the snapshot's hash and the share of every node, in base units. Nothing of ours is imported:
what is done here stands on the page, step by step, in words.
"""

import hashlib
import json
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

UNITS = 100_000_000


def units(amount: str) -> int:
    return int(Decimal(amount) * UNITS)


document = Path(sys.argv[1]).read_bytes()
snapshot, rules = json.loads(document), json.loads(document)["rules"]
snapshot_hash = hashlib.sha256(document).hexdigest()

# Nodes without refusals, by reputation; ties by the hash of the snapshot's hash and the node's id.
ordered = sorted(
    (node for node in snapshot["nodes"] if not node["refusals"]),
    key=lambda node: (
        -node["reputation"],
        hashlib.sha256(f"{snapshot_hash}:{node['node_id']}".encode()).hexdigest(),
    ),
)

# No owner with more nodes than may take part, and no more nodes than an airdrop can reach.
owned: Counter[str] = Counter()
chosen = []
for node in ordered:
    owned[node["owner"]] += 1
    if owned[node["owner"]] <= rules["max_nodes_per_owner"]:
        chosen.append(node)
chosen = chosen[: rules["max_airdrop_nodes"]]

# Equal shares, or by reputation, rounded down; the last one leaves while its share is too small.
pot = units(snapshot["balance"]) - units(snapshot["set_aside"])
shares: dict[str, int] = {}
while chosen:
    weights = [node["reputation"] if rules["airdrop_shares"] == "reputation" else 1 for node in chosen]
    shares = {
        node["node_id"]: pot * weight // sum(weights) if sum(weights) else 0
        for node, weight in zip(chosen, weights, strict=True)
    }
    if shares[chosen[-1]["node_id"]] >= units(rules["min_airdrop_amount"]):
        break
    chosen.pop()
    shares = {}

sys.stdout.write(json.dumps({"hash": snapshot_hash, "shares": shares}))
