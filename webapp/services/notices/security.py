"""What an owner must hear of their account: told in the unit of work that changes it, and not by a look at it later."""

from __future__ import annotations

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.domain.notices import Subject
from webapp.services.notices.book import Draft, write


def tell(
    session: Session, user_id: int, kind: str, name: str = "", subject: Subject = Subject.ACCOUNT
) -> None:
    """Tell the user that this has happened now, in the caller's unit of work. `name` is what it happened to."""
    write(session, [Draft(user_id, kind, f"{kind}:{uuid7()}", subject, detail={"name": name})])
