"""What a program may look for among its escrows: the parameters of the list."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from webapp.blueprints.api.fields import Text
from webapp.blueprints.api.schemas import RequestPart
from webapp.domain.escrow_states import Party, Status
from webapp.domain.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from webapp.services.escrow_search import EscrowSearch, Sort

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _only_days(value: Any) -> Any:
    """Refuse what pydantic would count as seconds since 1970."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a day, such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_only_days)]


class EscrowFilter(RequestPart):
    """Which escrows to list, and in which order."""

    wallet_id: int | None = Field(None, description="Only those of this wallet, which must be the key's")
    side: Literal["payer", "provider"] | None = Field(
        None, description="Only those that the wallet pays, or that it provides"
    )
    status: Status | None = Field(None, description="Only those in this state")
    service_name: Text | None = Field(None, description="Only those for this service")
    text: Text | None = Field(
        None, description="Only those with it in their task id or service, or with an id that begins like it"
    )
    created_from: Day | None = Field(None, description="Only those of this day (UTC) and later ones")
    created_to: Day | None = Field(None, description="Only those of this day (UTC) and earlier ones")
    sort: Sort = Field(
        Sort.NEWEST, description="The order: by age, the largest amount or the nearest deadline first"
    )
    limit: int = Field(
        DEFAULT_PAGE_SIZE,
        ge=1,
        le=MAX_PAGE_SIZE,
        description="How many at most; a page may have fewer, even none, although others follow: see `next_cursor`",
    )
    cursor: str | None = Field(None, description="`next_cursor` of the page before, in the same order")

    def party(self) -> Party | None:
        """The side that is asked for."""
        return Party(self.side) if self.side else None

    def search(self) -> EscrowSearch:
        """What is looked for, as the service takes it. Raises ValidationError."""
        return EscrowSearch(
            status=self.status,
            service_name=self.service_name,
            text=self.text,
            created_from=self.created_from,
            created_to=self.created_to,
            sort=self.sort,
        )
