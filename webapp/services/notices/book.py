"""Writing notices: each event tells a user once, by the ways that the user has chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.notice_kinds import choice_of
from webapp.domain.notices import TOLD_ONE_BY_ONE, Subject
from webapp.models import Notice, NoticeChoice
from webapp.models.insert_once import insert_all_once


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice before it is known whether its reader wants it. `source` names the event; see `models.Notice`."""

    user_id: int
    kind: str
    source: str
    subject: Subject
    subject_id: str = ""
    detail: dict[str, str] = field(default_factory=dict)


def write(session: Session, drafts: Iterable[Draft]) -> None:
    """Write down those that are wanted, in the caller's unit of work. What stands already is left alone."""
    found = list(drafts)
    if not found:
        return
    wanted = _chosen(session, {draft.user_id for draft in found})
    now = utcnow()
    rows = []
    for draft in found:
        choice = choice_of(draft.kind)
        own = wanted.get((draft.user_id, choice.name))
        is_in_inbox = choice.is_fixed or (own.is_in_inbox if own else choice.is_in_inbox)
        is_by_mail = own.is_by_mail if own else choice.is_by_mail
        if is_in_inbox or is_by_mail:
            rows.append(
                {
                    "user_id": draft.user_id,
                    "kind": draft.kind,
                    "subject_type": draft.subject.value,
                    "subject_id": draft.subject_id,
                    "source": draft.source,
                    "detail": draft.detail,
                    "is_in_inbox": is_in_inbox,
                    "is_by_mail": is_by_mail,
                    "is_urgent": bool(own and own.is_urgent and is_by_mail),
                    "created_at": now,
                }
            )
    insert_all_once(session, Notice, rows)


def told_together(drafts: Sequence[Draft]) -> list[Draft]:
    """The same, but for what happens to one reader so often at once that nobody would read it one by one."""
    by_reader: dict[tuple[int, str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_reader[draft.user_id, draft.kind].append(draft)
    kept: list[Draft] = []
    for same in by_reader.values():
        if len(same) <= TOLD_ONE_BY_ONE:
            kept += same
        else:
            detail = {"count": str(len(same))}
            kept.append(replace(same[-1], subject=Subject.ESCROWS, subject_id="", detail=detail))
    return kept


def _chosen(session: Session, user_ids: set[int]) -> dict[tuple[int, str], NoticeChoice]:
    rows = session.scalars(select(NoticeChoice).where(NoticeChoice.user_id.in_(user_ids)))
    return {(row.user_id, row.choice): row for row in rows}
