"""Tables only: columns, keys, constraints. Importing this package makes every table known to the metadata."""

from webapp.models.address_book import SavedAddress
from webapp.models.airdrops import Airdrop, AirdropRecipient, AirdropSnapshot, AirdropWait, FundRuleChange
from webapp.models.catalogue import CatalogueService
from webapp.models.community_fund import CommunityFund
from webapp.models.deposits import ChainCursor, Deposit
from webapp.models.disputes import Dispute, DisputeSeat, DisputeStatement
from webapp.models.escrow_terms import EscrowFact, EscrowTerms
from webapp.models.escrows import Escrow, EscrowTransaction
from webapp.models.evidence import CaseFileKey, EvidenceItem
from webapp.models.idempotency import IdempotencyKey
from webapp.models.journal import AccountCheckpoint, JournalEntry, Posting
from webapp.models.mailboxes import Mailbox
from webapp.models.nodes import Node, NodeCapability, NodeChallenge, NodeDay, NodeHeartbeat
from webapp.models.notices import Notice, NoticeChoice, NoticeCursor
from webapp.models.offers import SettlementOffer
from webapp.models.operations import Alert, OperatorAction, Outage, PayoutHalt, Pulse, WorkerTask
from webapp.models.payouts import ChainTransaction, ChainTransactionInput, Payout
from webapp.models.plans import Plan
from webapp.models.reserves import (
    DaemonFigures,
    Reconciliation,
    SolvencyLeaf,
    SolvencyStatement,
    UnexplainedCoin,
)
from webapp.models.second_factors import RecoveryCode, SecondFactor
from webapp.models.signing_keys import KeyChange, KeyEpoch, RequestNonce, SigningKey
from webapp.models.users import User, UserSession
from webapp.models.wallets import DepositAddress, Wallet

__all__ = [
    "AccountCheckpoint",
    "Airdrop",
    "AirdropRecipient",
    "AirdropSnapshot",
    "AirdropWait",
    "Alert",
    "CaseFileKey",
    "CatalogueService",
    "ChainCursor",
    "ChainTransaction",
    "ChainTransactionInput",
    "CommunityFund",
    "DaemonFigures",
    "Deposit",
    "DepositAddress",
    "Dispute",
    "DisputeSeat",
    "DisputeStatement",
    "Escrow",
    "EscrowFact",
    "EscrowTerms",
    "EscrowTransaction",
    "EvidenceItem",
    "FundRuleChange",
    "IdempotencyKey",
    "JournalEntry",
    "KeyChange",
    "KeyEpoch",
    "Mailbox",
    "Node",
    "NodeCapability",
    "NodeChallenge",
    "NodeDay",
    "NodeHeartbeat",
    "Notice",
    "NoticeChoice",
    "NoticeCursor",
    "OperatorAction",
    "Outage",
    "Payout",
    "PayoutHalt",
    "Plan",
    "Posting",
    "Pulse",
    "Reconciliation",
    "RecoveryCode",
    "RequestNonce",
    "SavedAddress",
    "SecondFactor",
    "SettlementOffer",
    "SigningKey",
    "SolvencyLeaf",
    "SolvencyStatement",
    "UnexplainedCoin",
    "User",
    "UserSession",
    "Wallet",
    "WorkerTask",
]
