"""`market`: the running service in miniature. Whatever a test does, books and coins agree in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from tests.support.chain import Chain
from tests.support.market import Market
from webapp.services.container import Services


@pytest.fixture
def market(chain: Chain, session: Session, services: Services) -> Iterator[Market]:
    """A payer and a provider without money, and a worker that runs when told to."""
    made = Market(chain, session, services)
    try:
        yield made
        made.close()
    finally:
        made.dispose()
