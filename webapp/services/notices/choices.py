"""By which ways somebody wants to be told what."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from webapp.domain.notices import Choice, choices_for
from webapp.domain.roles import Role
from webapp.models import NoticeChoice
from webapp.services.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True)
class Ways:
    """A choice and what was chosen; `is_urgent`: by mail at once."""

    choice: Choice
    is_in_inbox: bool
    is_by_mail: bool
    is_urgent: bool


class NoticeChoices:
    """What one user has chosen, of what somebody with their role may."""

    def __init__(self, session: Session, user_id: int, role: Role) -> None:
        self._session = session
        self._user_id = user_id
        self._role = role

    def present(self) -> list[Ways]:
        """Everything that may be chosen, as it is now."""
        rows = self._session.scalars(select(NoticeChoice).where(NoticeChoice.user_id == self._user_id))
        own = {row.choice: row for row in rows}
        found = []
        for choice in choices_for(self._role):
            row: NoticeChoice | Choice = own.get(choice.name, choice)
            is_urgent = choice.name in own and own[choice.name].is_urgent
            found.append(Ways(choice, row.is_in_inbox or choice.is_fixed, row.is_by_mail, is_urgent))
        return found

    def save(self, inbox: Collection[str], mail: Collection[str] | None, urgent: Collection[str]) -> None:
        """Tell by these ways from here on: names of choices for each. `mail` of None leaves mail as it is.

        At once is by mail, too. What somebody with another role chooses, and unknown names, are left alone.
        """
        rows = []
        for ways in self.present():
            name, is_fixed = ways.choice.name, ways.choice.is_fixed
            is_urgent = name in urgent and ways.choice.may_be_urgent if mail is not None else ways.is_urgent
            is_by_mail = name in mail or is_urgent if mail is not None else ways.is_by_mail
            rows.append(
                {
                    "user_id": self._user_id,
                    "choice": name,
                    "is_in_inbox": is_fixed or name in inbox,
                    "is_by_mail": is_by_mail,
                    "is_urgent": is_urgent,
                }
            )
        with unit_of_work(self._session):
            names = [row["choice"] for row in rows]
            self._session.execute(
                delete(NoticeChoice)
                .where(NoticeChoice.user_id == self._user_id, NoticeChoice.choice.in_(names))
                .execution_options(synchronize_session=False)
            )
            self._session.execute(insert(NoticeChoice.__table__), rows)  # type: ignore[arg-type]
