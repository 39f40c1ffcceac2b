"""Wallets as the rest of the service sees them: balances, addresses, locks, payouts.

The ledger says who owns what; the daemon is asked only for addresses and for what it holds. Every movement here is
one journal entry inside the caller's unit of work.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain import accounts
from webapp.domain.exceptions import NotFoundError, WalletIntegrationError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.ledger.journal import Move, post
from webapp.models import Escrow, Wallet
from webapp.services import chain_reach
from webapp.services.daemon.shared import daemon_for
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.payouts.queue import PayoutQueue


@dataclass(frozen=True, slots=True)
class Balance:
    """What a wallet may spend, and what it has locked in escrows."""

    available: Amount
    held: Amount


class WalletIntegration:
    """`WalletIntegration(session)` works on the configured instance and its daemon."""

    def __init__(
        self, db_session: Session, config: Settings | None = None, daemon: DaemonWallet | None = None
    ) -> None:
        self._session = db_session
        self.settings = config or load_config()
        self.daemon = daemon or daemon_for(self.settings)
        self.payouts = PayoutQueue(db_session, self.settings)

    def wallet(self, wallet_id: int) -> Wallet:
        """The wallet with its present balances. Raises NotFoundError."""
        wallet = self._session.get(Wallet, wallet_id, populate_existing=True)
        if wallet is None:
            raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
        return wallet

    def get_balance(self, wallet_id: int) -> Balance:
        """What the ledger says the wallet owns. Raises NotFoundError."""
        row = self._session.execute(
            select(Wallet.available, Wallet.held).where(Wallet.id == wallet_id)
        ).first()
        if row is None:
            raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
        return Balance(row.available, row.held)

    def get_daemon_balance(self) -> Amount:
        """The coins that the daemon holds for everyone. Raises WalletIntegrationError."""
        return self.daemon.balance()

    def deposit_address(self, wallet_id: int) -> str | None:
        """Where to send coins for this wallet; None while the daemon is out of reach and no address is in stock.

        Call it outside a unit of work: it may ask the daemon for an address.
        """
        return deposit_addresses.ensure(self._session, self.daemon, wallet_id)

    def stock_address(self) -> None:
        """See to it that an address waits for an escrow that is about to be made, if that is possible just now.

        Call it outside a unit of work: it may ask the daemon, though only one that was in reach a moment ago.
        """
        if deposit_addresses.has_stock(self._session):
            return
        if chain_reach.look(self._session, self.settings).is_open:
            with suppress(WalletIntegrationError):
                deposit_addresses.fill_stock(self._session, self.daemon, 1)

    def lock_funds(self, escrow_id: uuid.UUID, payer_wallet_id: int, amount: Amount) -> int:
        """Move an escrow's amount from available to held. Raises InsufficientFundsError, FrozenWalletError."""
        move = Move(accounts.available(payer_wallet_id), accounts.held(payer_wallet_id), amount)
        return post(self._session, f"escrow:{escrow_id}:create", "escrow_create", [move], escrow_id=escrow_id)

    def unlock_funds(self, escrow_id: uuid.UUID, payer_wallet_id: int, amount: Amount) -> int:
        """Give an escrow's amount back to its payer. Raises DuplicateEntryError the second time."""
        move = Move(accounts.held(payer_wallet_id), accounts.available(payer_wallet_id), amount)
        return post(self._session, f"escrow:{escrow_id}:refund", "escrow_refund", [move], escrow_id=escrow_id)

    def transfer_funds(self, escrow: Escrow) -> int:
        """Give an escrow's amount to provider and fund. Raises DuplicateEntryError the second time."""
        held = accounts.held(escrow.payer_wallet_id)
        moves = [
            Move(held, accounts.available(escrow.provider_wallet_id), escrow.provider_amount),
            Move(held, accounts.FUND, escrow.community_amount),
        ]
        return post(
            self._session, f"escrow:{escrow.id}:release", "escrow_release", moves, escrow_id=escrow.id
        )

    def divide_funds(self, escrow: Escrow, provider: Amount, fund: Amount, payer: Amount) -> int:
        """Give each their part of an escrow's amount. Raises DuplicateEntryError the second time."""
        held = accounts.held(escrow.payer_wallet_id)
        moves = [
            Move(held, accounts.available(escrow.provider_wallet_id), provider),
            Move(held, accounts.FUND, fund),
            Move(held, accounts.available(escrow.payer_wallet_id), payer),
        ]
        return post(
            self._session, f"escrow:{escrow.id}:resolve", "escrow_resolve", moves, escrow_id=escrow.id
        )
