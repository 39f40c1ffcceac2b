"""The services of one instance, put together once. Whoever has a database session gets the rest from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.roles import Actor
from webapp.services.batches.run import Batch
from webapp.services.case_file.build import CaseFiles
from webapp.services.case_file.keys import CaseFileKeys
from webapp.services.catalogue import Catalogue
from webapp.services.community_fund_manager import CommunityFundManager
from webapp.services.daemon.shared import daemon_for
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.disputes.judging import Judging
from webapp.services.disputes.ladder import DisputeLadder
from webapp.services.escrow_manager import EscrowManager
from webapp.services.evidence.book import EvidenceBook
from webapp.services.express.lane import ExpressLane, Once, Writer
from webapp.services.express.recent import RecentEscrows
from webapp.services.express.rows import AnyEscrow
from webapp.services.identity import Identity
from webapp.services.key_ring import KeyRing
from webapp.services.node_registry import NodeAuthService
from webapp.services.nodes.registry import NodeRegistry
from webapp.services.offers import Offers
from webapp.services.plans import Plans
from webapp.services.second_factors import SecondFactors
from webapp.services.secret_box import SecretBox
from webapp.services.seen_nonces import SeenNonces
from webapp.services.sessions import Sessions
from webapp.services.signing_keys import SigningKeys
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.wallet_integration import WalletIntegration


@dataclass(frozen=True, slots=True)
class Services:
    """Shared parts, and factories for what works on a session."""

    settings: Settings
    secret_box: SecretBox
    daemon: DaemonWallet
    key_ring: KeyRing
    seen_nonces: SeenNonces
    recent_escrows: RecentEscrows

    @classmethod
    def of(cls, settings: Settings) -> Services:
        """The services of an instance."""
        box = SecretBox.of(settings)
        return cls(settings, box, daemon_for(settings), KeyRing(box), SeenNonces(), RecentEscrows())

    def escrow_manager(self, session: Session, actor: Actor) -> EscrowManager:
        """Escrows, as this actor."""
        return EscrowManager(session, self.settings, actor=actor, wallet_integration=self.wallets(session))

    def batch(self, session: Session, actor: Actor, tell: Callable[[AnyEscrow], str]) -> Batch:
        """Many operations on escrows at once, as this actor."""
        return Batch(session, self.settings, actor, self.wallets(session), self.key_ring, tell)

    def express_lane(self, session: Session, engine: Engine, once: Once, write: Writer) -> ExpressLane:
        """The hot path, for one request."""
        return ExpressLane(session, engine, self.settings, self.key_ring, self.recent_escrows, once, write)

    def offers(self, session: Session, actor: Actor) -> Offers:
        """What the sides of escrows offer each other, as this actor."""
        return Offers(session, self.settings, actor, self.wallets(session))

    def evidence(self, session: Session, actor: Actor) -> EvidenceBook:
        """Evidence in disputes, as this actor."""
        return EvidenceBook(session, self.settings, self.secret_box, actor)

    def disputes(self, session: Session, actor: Actor) -> DisputeLadder:
        """Disputes, as one of their sides."""
        return DisputeLadder(session, self.settings, actor, self.wallets(session))

    def judging(self, session: Session, actor: Actor) -> Judging:
        """Disputes, as who is assigned to them."""
        return Judging(session, self.settings, actor, self.wallets(session))

    def case_files(self, session: Session, actor: Actor) -> CaseFiles:
        """Case files, for this actor."""
        manager = self.escrow_manager(session, actor)
        return CaseFiles(session, self.settings, self.secret_box, actor, manager)

    def case_file_keys(self, session: Session) -> CaseFileKeys:
        """The keys that case files are signed with."""
        return CaseFileKeys(session, self.secret_box)

    def plans(self, session: Session, actor: Actor) -> Plans:
        """Escrows in parts, as this actor."""
        return Plans(session, self.settings, actor, self.wallets(session))

    def wallets(self, session: Session) -> WalletIntegration:
        """Balances, addresses, locks, payouts."""
        return WalletIntegration(session, self.settings, self.daemon)

    def fund_manager(self, session: Session) -> CommunityFundManager:
        """The community fund."""
        return CommunityFundManager(session, self.wallets(session), self.settings)

    def validator(self, session: Session) -> TransactionValidator:
        """Results and their signatures."""
        return TransactionValidator(session, self.settings)

    def node_auth(self, session: Session) -> NodeAuthService:
        """Nodes and their secrets."""
        return NodeAuthService(session, self.secret_box)

    def node_registry(self, session: Session) -> NodeRegistry:
        """Nodes: registered, listed, suspended."""
        return NodeRegistry(session, self.settings, self.secret_box)

    def catalogue(self, session: Session) -> Catalogue:
        """Services: offered, found, changed."""
        return Catalogue(session, self.settings)

    def signing_keys(self, session: Session) -> SigningKeys:
        """Keys that programs sign with."""
        return SigningKeys(session, self.secret_box)

    def identity(self, session: Session) -> Identity:
        """Users and passwords."""
        return Identity(session, self.settings)

    def second_factors(self, session: Session) -> SecondFactors:
        """Authenticators and recovery codes."""
        return SecondFactors(session, self.secret_box)

    def sessions(self, session: Session) -> Sessions:
        """Browser sessions."""
        return Sessions(session, self.settings)
