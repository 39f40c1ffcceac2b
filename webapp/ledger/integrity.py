"""Proof of the books, at any moment. Each check is one statement over one snapshot, with its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.domain.accounts import POOLED


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not as it must be."""

    check: str
    detail: str


# Every check selects what is wrong: (what, expected, found). No rows means that it holds.
_CHECKS: dict[str, str] = {
    # An event that moved nothing is no event; amounts and ends are guarded by constraints.
    "entry without postings": """
        SELECT j.key, 'postings', 'none' FROM journal_entries j
        WHERE NOT EXISTS (SELECT 1 FROM postings p WHERE p.journal_entry_id = j.id)
    """,
    # What people see as their balance is exactly what the journal says.
    "wallet balance differs from its postings": """
        SELECT 'wallet ' || w.id || ' ' || s.part, s.balance, COALESCE(i.total, 0) - COALESCE(o.total, 0)
        FROM wallets w
        JOIN (SELECT id, 'available' AS part, available AS balance FROM wallets
              UNION ALL SELECT id, 'held', held FROM wallets) s ON s.id = w.id
        LEFT JOIN (SELECT destination, SUM(amount) AS total FROM postings GROUP BY destination) i
          ON i.destination = s.part || ':' || w.id
        LEFT JOIN (SELECT source, SUM(amount) AS total FROM postings GROUP BY source) o
          ON o.source = s.part || ':' || w.id
        WHERE s.balance <> COALESCE(i.total, 0) - COALESCE(o.total, 0)
    """,
    # Money that moved to an account that nobody owns would be lost.
    "posting to an unknown account": """
        SELECT a.name, 'a wallet or a pooled account', 'neither'
        FROM (SELECT source AS name FROM postings UNION SELECT destination FROM postings
              EXCEPT SELECT 'available:' || id FROM wallets EXCEPT SELECT 'held:' || id FROM wallets) a
        WHERE a.name NOT IN ({pooled})
    """,
    # What is held belongs to live escrows and to the bonds of open disputes, and to nothing else.
    "held differs from live escrows": """
        SELECT 'wallet ' || w.id, COALESCE(e.total, 0), w.held
        FROM wallets w
        LEFT JOIN (SELECT h.wallet_id, SUM(h.amount) AS total
                   FROM (SELECT payer_wallet_id AS wallet_id,
                                CASE status WHEN 'pending' THEN deposited_amount ELSE amount END AS amount
                         FROM escrows WHERE status IN ('pending', 'active', 'delivered', 'disputed')
                         UNION ALL
                         SELECT opened_by_wallet_id, bond FROM disputes WHERE rung <> 'ended') h
                   GROUP BY h.wallet_id) e
          ON e.wallet_id = w.id
        WHERE w.held <> COALESCE(e.total, 0)
    """,
    # A bond was held once, and went once to where the dispute says.
    "bond differs from its entries": """
        SELECT 'dispute ' || d.id || ' ' || s.kind, s.due, COALESCE(m.total, 0)
        FROM disputes d
        JOIN (SELECT id, 'dispute_bond' AS kind, bond AS due FROM disputes
              UNION ALL SELECT id, 'dispute_bond_return',
                               CASE WHEN rung = 'ended' AND NOT is_bond_lost THEN bond ELSE 0 END FROM disputes
              UNION ALL SELECT id, 'dispute_bond_loss',
                               CASE WHEN rung = 'ended' AND is_bond_lost THEN bond ELSE 0 END FROM disputes) s
          ON s.id = d.id
        LEFT JOIN (SELECT j.escrow_id, j.kind, SUM(p.amount) AS total FROM journal_entries j
                   JOIN postings p ON p.journal_entry_id = j.id GROUP BY j.escrow_id, j.kind) m
          ON m.escrow_id = d.escrow_id AND m.kind = s.kind
        WHERE s.due <> COALESCE(m.total, 0)
    """,
    # A final escrow moved its money, once, in full: one that was never paid for, what it had of it.
    "final escrow without its entry": """
        SELECT 'escrow ' || e.id, e.amount, COALESCE(m.total, 0)
        FROM (SELECT id, status, CASE WHEN status = 'refunded' AND funding = 'deposit' THEN deposited_amount
                                      ELSE amount END AS amount FROM escrows) e
        LEFT JOIN (SELECT j.escrow_id, j.kind, SUM(p.amount) AS total FROM journal_entries j
                   JOIN postings p ON p.journal_entry_id = j.id GROUP BY j.escrow_id, j.kind) m
          ON m.escrow_id = e.id AND m.kind = CASE e.status WHEN 'released' THEN 'escrow_release'
                                                           WHEN 'refunded' THEN 'escrow_refund'
                                                           ELSE 'escrow_resolve' END
        WHERE e.status IN ('released', 'refunded', 'resolved') AND e.amount <> COALESCE(m.total, 0)
    """,
    # An escrow that is paid for by deposits has what was put into it, all of it once work may begin.
    "escrow differs from what was paid into it": """
        SELECT 'escrow ' || e.id, e.due, COALESCE(d.total, 0)
        FROM (SELECT id, deposited_amount, CASE WHEN funding = 'deposit' AND status NOT IN ('pending', 'refunded')
                                                THEN amount ELSE deposited_amount END AS due FROM escrows) e
        LEFT JOIN (SELECT escrow_id, SUM(held_amount) AS total FROM deposits
                   WHERE escrow_id IS NOT NULL GROUP BY escrow_id) d
          ON d.escrow_id = e.id
        WHERE e.due <> COALESCE(d.total, 0) OR e.due <> e.deposited_amount
    """,
    # A release paid the provider and the fund of that escrow what it had promised to each.
    "release differs from what was agreed": """
        SELECT 'escrow ' || e.id || ' to ' || s.destination, s.amount, COALESCE(p.amount, 0)
        FROM escrows e
        JOIN (SELECT id, 'available:' || provider_wallet_id AS destination, provider_amount AS amount FROM escrows
              UNION ALL SELECT id, 'fund', community_amount FROM escrows) s ON s.id = e.id
        JOIN journal_entries j ON j.escrow_id = e.id AND j.kind = 'escrow_release'
        LEFT JOIN postings p ON p.journal_entry_id = j.id AND p.destination = s.destination
                            AND p.source = 'held:' || e.payer_wallet_id
        WHERE e.status = 'released' AND s.amount <> COALESCE(p.amount, 0)
    """,
    # One that was divided paid each the part that it tells of, and the rest back to its payer.
    "division differs from what was decided": """
        SELECT 'escrow ' || e.id || ' to ' || s.destination, s.amount, COALESCE(p.amount, 0)
        FROM escrows e
        JOIN (SELECT id, 'available:' || provider_wallet_id AS destination, resolved_provider_amount AS amount
              FROM escrows
              UNION ALL SELECT id, 'fund', resolved_community_amount FROM escrows
              UNION ALL SELECT id, 'available:' || payer_wallet_id,
                               amount - resolved_provider_amount - resolved_community_amount FROM escrows) s
          ON s.id = e.id
        JOIN journal_entries j ON j.escrow_id = e.id AND j.kind = 'escrow_resolve'
        LEFT JOIN postings p ON p.journal_entry_id = j.id AND p.destination = s.destination
                            AND p.source = 'held:' || e.payer_wallet_id
        WHERE e.status = 'resolved' AND s.amount <> COALESCE(p.amount, 0)
    """,
    # What is in flight belongs to payouts that are not final.
    "payouts in flight differ": """
        SELECT 'payouts_in_flight', q.total, b.balance
        FROM (SELECT COALESCE(SUM(gross + CASE WHEN fee_paid_by = 'fund' THEN COALESCE(fee, 0) ELSE 0 END), 0)
                     AS total
              FROM payouts WHERE status NOT IN ('confirmed', 'failed')) q,
             (SELECT COALESCE(SUM(CASE WHEN destination = 'payouts_in_flight' THEN amount ELSE -amount END), 0)
                     AS balance
              FROM postings WHERE 'payouts_in_flight' IN (source, destination)) b
        WHERE q.total <> b.balance
    """,
    # An airdrop that was posted moved each wallet's shares to it, and those of addresses without one to payouts; any
    # other moved nothing. A share that failed before it was posted has no payout and stayed in the fund.
    "airdrop differs from its entry": """
        SELECT x.airdrop || ' and ' || x.account, SUM(x.due), SUM(x.moved)
        FROM (SELECT 'airdrop:' || REPLACE(CAST(a.id AS VARCHAR(36)), '-', '') AS airdrop,
                     CASE WHEN r.wallet_id IS NULL THEN 'payouts_in_flight' ELSE 'available:' || r.wallet_id END
                     AS account, r.amount AS due, 0 AS moved
              FROM airdrops a JOIN airdrop_recipients r ON r.airdrop_id = a.id
              WHERE a.status IN ('paying', 'done') AND NOT (r.status = 'failed' AND r.payout_id IS NULL)
              UNION ALL
              SELECT 'airdrop:' || REPLACE(CAST(id AS VARCHAR(36)), '-', ''), 'fund', total, 0 FROM airdrops
              UNION ALL
              SELECT REPLACE(j.key, '-', ''), p.destination, 0, p.amount
              FROM journal_entries j JOIN postings p ON p.journal_entry_id = j.id
              WHERE j.kind = 'airdrop' AND j.key LIKE 'airdrop:%'
              UNION ALL
              SELECT REPLACE(j.key, '-', ''), p.source, 0, p.amount
              FROM journal_entries j JOIN postings p ON p.journal_entry_id = j.id
              WHERE j.kind = 'airdrop' AND j.key LIKE 'airdrop:%') x
        GROUP BY x.airdrop, x.account HAVING SUM(x.due) <> SUM(x.moved)
    """,
    # A share that was sent left as its own payout, whole, out of its own wallet or out of the fund, and no other did.
    # What was missing of one that another transaction has paid went back.
    "airdrop share differs from its payout": """
        SELECT 'payout ' || p.id, p.gross + COALESCE(m.total, 0), COALESCE(r.total, 0)
        FROM payouts p
        JOIN (SELECT payout_id, SUM(amount) AS total, COUNT(*) AS shares, MAX(wallet_id) AS wallet_id
              FROM airdrop_recipients WHERE payout_id IS NOT NULL GROUP BY payout_id) r ON r.payout_id = p.id
        LEFT JOIN (SELECT SUBSTR(REPLACE(j.key, '-', ''), 8, 32) AS payout, SUM(s.amount) AS total
                   FROM journal_entries j JOIN postings s ON s.journal_entry_id = j.id
                   WHERE j.kind = 'payout_missing' GROUP BY SUBSTR(REPLACE(j.key, '-', ''), 8, 32)) m
          ON m.payout = REPLACE(CAST(p.id AS VARCHAR(36)), '-', '')
        WHERE r.total <> p.gross + COALESCE(m.total, 0) OR r.shares <> 1
           OR COALESCE(r.wallet_id, 0) <> COALESCE(p.wallet_id, 0)
    """,
    # The community fund can never have given more than it got.
    "the fund is overdrawn": """
        SELECT 'fund', 'at least 0', b.balance
        FROM (SELECT COALESCE(SUM(CASE WHEN destination = 'fund' THEN amount ELSE -amount END), 0) AS balance
              FROM postings WHERE 'fund' IN (source, destination)) b
        WHERE b.balance < 0
    """,
    # A deposit is in the books exactly when it says so.
    "deposit differs from its entries": """
        SELECT 'deposit ' || d.txid || ':' || d.vout, d.status, COALESCE(c.entries, 0)
        FROM deposits d
        LEFT JOIN (SELECT p.id, COUNT(j.id) AS entries FROM deposits p JOIN journal_entries j
                   ON j.key IN ('deposit:' || p.txid || ':' || p.vout || ':credit:' || p.credit_round,
                                'deposit:' || p.txid || ':' || p.vout || ':reverse:' || p.credit_round)
                   GROUP BY p.id) c ON c.id = d.id
        WHERE COALESCE(c.entries, 0) <> CASE d.status WHEN 'credited' THEN 1 WHEN 'reversed' THEN 2 ELSE 0 END
    """,
    # A checkpoint is a sum that was done early, not another truth.
    "checkpoint differs from its postings": """
        SELECT c.account, c.total_in - c.total_out, COALESCE(b.balance, 0)
        FROM account_checkpoints c
        LEFT JOIN (SELECT k.account,
                          SUM(CASE WHEN p.destination = k.account THEN p.amount ELSE -p.amount END) AS balance
                   FROM account_checkpoints k JOIN postings p
                     ON k.account IN (p.source, p.destination) AND p.id <= k.last_posting_id
                   GROUP BY k.account) b ON b.account = c.account
        WHERE c.total_in - c.total_out <> COALESCE(b.balance, 0)
    """,
}


def check_books(session: Session) -> list[Gap]:
    """Every gap in the books; empty when they agree."""
    pooled = ", ".join(f"'{account}'" for account in POOLED)
    return [
        Gap(check, f"{what}: expected {expected}, found {found}")
        for check, statement in _CHECKS.items()
        for what, expected, found in session.execute(text(statement.format(pooled=pooled)))
    ]
