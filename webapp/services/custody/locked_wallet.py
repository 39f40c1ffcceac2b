"""An encrypted daemon wallet that cannot be opened: payouts wait, nothing is halted, and the operators are told."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.domain.exceptions import DuxosError, RpcRefusedError
from webapp.services.daemon import rpc_errors
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

ALERT_LOCKED = "daemon_wallet_locked"
_LOCKED = (rpc_errors.WALLET_UNLOCK_NEEDED, rpc_errors.WALLET_PASSPHRASE_INCORRECT)


def tell_if_locked(session: Session, error: DuxosError) -> None:
    """Raise the alert if this is why a task of the worker failed. The daemon's words never contain the passphrase."""
    if isinstance(error, RpcRefusedError) and error.code in _LOCKED:
        with unit_of_work(session):
            raise_alert(session, ALERT_LOCKED, "daemon", error.detail)
