"""The wallets of the present reader, as a form offers them."""

from __future__ import annotations

from flask_login import current_user

from webapp.domain.said import said
from webapp.services.wallet_ownership import list_wallets
from webapp.web.current import db_session
from webapp.web.language import recalled

FIRST_NAME = said("Main")  # what a wallet is called before its owner names it


def wallet_choices() -> list[tuple[int, str]]:
    """Id and name of each of the reader's wallets, the oldest first."""
    return [(wallet.id, recalled(wallet.name)) for wallet in list_wallets(db_session(), current_user.id)]
