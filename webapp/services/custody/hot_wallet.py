"""The worker's look at the daemon's wallet: too much is swept to cold storage, too little is told to operators."""

from __future__ import annotations

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.money import Amount
from webapp.domain.payout_states import PayoutStatus
from webapp.models import Payout
from webapp.services.custody import cold_storage
from webapp.services.custody.sweep import Sweeper
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

ALERT_SHORT = "hot_wallet_short"
_TO_BE_PAID = (PayoutStatus.QUEUED, PayoutStatus.CLAIMED)


class HotWallet:
    """One worker's look. Nothing is asked of the daemon while there is neither a ceiling nor anything in the cold."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._daemon = daemon
        self._sweeper = Sweeper(session, settings, daemon)

    def run(self) -> None:
        """Alert when payouts wait for coins that lie in cold storage; sweep when too many lie here.

        Raises WalletIntegrationError when the daemon is not usable.
        """
        cold = cold_storage.balance(self._session)
        due = self._due()
        self._session.commit()
        if cold > 0 and due:
            self._warn_if_short(due, Amount(cold))
        self._sweeper.run()

    def _due(self) -> Amount:
        total = func.coalesce(func.sum(type_coerce(Payout.gross, BigInteger)), 0)
        return Amount(
            int(self._session.execute(select(total).where(Payout.status.in_(_TO_BE_PAID))).scalar_one())
        )

    def _warn_if_short(self, due: Amount, cold: Amount) -> None:
        held = self._daemon.balance()
        if held >= due:
            return
        address = cold_storage.refill_address(self._session)
        self._session.commit()
        where = f"Send it to {address}." if address else "Take a refill address for it."
        detail = (
            f"Payouts of {due} FLOP wait, and the daemon can spend {held} FLOP; {cold} FLOP is in cold storage: "
            f"at least {due - held} FLOP of it is needed here. {where}"
        )
        with unit_of_work(self._session):
            raise_alert(self._session, ALERT_SHORT, "hot wallet", detail)
