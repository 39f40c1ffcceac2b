"""What alerts tell the operators: that there is one. What it says is for the operations page, and not for mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webapp.domain.notices import Subject
from webapp.domain.roles import Role
from webapp.models import Alert
from webapp.services.notices.book import Draft
from webapp.services.notices.cursor import Cursor
from webapp.services.notices.readers import with_role
from webapp.services.notices.reading import read_on


class AlertReader:
    """Reads on from where the last one was."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cursor = Cursor(session, "alerts")

    def run(self) -> bool:
        """Tell what is new. True when there may be more."""
        return read_on(self._session, self._cursor, select(Alert.id, Alert.kind), Alert.id, self._drafts)

    def _drafts(self, rows: Sequence[Row[Any]]) -> list[Draft]:
        operators = with_role(self._session, Role.OPERATOR)
        return [
            Draft(
                user_id,
                "operator.alert",
                f"alert:{row.id}",
                Subject.OPERATIONS,
                detail={"name": row.kind.replace("_", " ").capitalize()},
            )
            for row in rows
            for user_id in operators
        ]
