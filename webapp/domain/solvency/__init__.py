"""Proof that what is owed is covered: a tree of all balances, a statement of reserves, and their check.

Nothing here needs a database, a service or the rest of this project: the standard library, and `embit` for the
signatures of addresses. `python -m webapp.domain.solvency verify FILE` checks what the service publishes, and the proof
that each owner downloads. This is how the two are made.

**The tree** (`tree.py`). Every balance is cut into parts, and every part is a leaf: SHA-256 over a tag, a secret
nonce, the label (`wallet:12:available:1`, `fund:available:1`) and the amount in base units. A node is SHA-256 over a
tag and hash and sum of both children, so that no child's sum can be exchanged for another. Sums are checked to be
neither negative nor beyond what 63 bits hold, on every level. A level of odd length ends in an empty node of no
amount: nothing is counted twice to fill a place. Leaves lie in the order of their hashes, which is as good as any
shuffling, because the nonces are random. A proof shows its reader the amounts of neighbouring leaves: since each is a
random part of somebody's balance, it tells nobody's.

**The statement** (`statement.py`) says for one block: the root hash and what is owed (the sum at the root), the
addresses that hold the coins with their amounts, what else the wallet holds, and what lies in cold storage. Every
holding address signs the SHA-256 of its canonical JSON (RFC 8785) in the form of the daemon's `signmessage`. Cold
storage signs by hand, or is shown as unsigned.

**What is owed** to a wallet: `available`; `held` in escrows; `arriving`, deposits that a block holds and that are not
credited yet; `leaving`, payouts asked for whose coins are still here. A payout that the network has is neither owed
here any more nor held here any more: the daemon's wallet has let its coins go. The fund is owed what it holds.

**What a proof cannot tell**: that the addresses held those coins at that block (any node of the network tells), and
that nobody else's balance was left out. Each owner can make sure only of their own: the more of them look, the
better.

Imports are relative: the folder works wherever it is copied to.
"""

from .reading import RefusedError, load
from .statement import CoinsAt, Statement, message_of
from .tree import Leaf, Node, Tree, climb, in_order
from .verification import Verdict, verify

__all__ = [
    "CoinsAt",
    "Leaf",
    "Node",
    "RefusedError",
    "Statement",
    "Tree",
    "Verdict",
    "climb",
    "in_order",
    "load",
    "message_of",
    "verify",
]
