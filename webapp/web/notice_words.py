"""A notice in words, in its reader's language: what happened, and where to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from urllib.parse import quote

from webapp.domain.money import Amount
from webapp.domain.notice_kinds import kind_of
from webapp.domain.notices import TOLD_TOGETHER, Audience, Kind, Subject, choice_named
from webapp.domain.said import said
from webapp.models import Notice
from webapp.web.formats import day_and_time, money
from webapp.web.language import translated

_PATHS = {
    Subject.ESCROW: "/escrows/{id}",
    Subject.ESCROWS: "/escrows",
    Subject.PAYOUT: "/wallet/payouts/{id}",
    Subject.WALLET: "/wallet?wallet={id}",
    Subject.AIRDROP: "/fund/airdrops/{id}",
    Subject.OPERATIONS: "/operations",
    Subject.SESSIONS: "/account#account-sessions",
    Subject.KEYS: "/account#account-keys",
    Subject.ACCOUNT: "/account",
    Subject.NOTICES: "/account#account-notices",
}
_ICONS = {
    Audience.PAYER: "lock",
    Audience.PROVIDER: "box",
    Audience.ARBITER: "scales",
    Audience.OPERATOR: "pulse",
    Audience.EVERYBODY: "wallet",
}


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """What a notice says. `path` leads to the thing and, where there is one, to the action, without the site's root."""

    title: str
    sentence: str
    path: str
    icon: str


def words_of(notice: Notice) -> NoticeWords:
    """The words for the present reader. A kind that there was once has its name for a title."""
    kind = kind_of(notice.kind)
    if kind is None:
        return NoticeWords(notice.kind, "", path_of(notice), "info")
    return NoticeWords(translated(kind.title), _sentence(kind, notice), path_of(notice, kind), _icon(kind))


def path_of(notice: Notice, kind: Kind | None = None) -> str:
    """Where the thing is that a notice is about."""
    path = _PATHS[Subject(notice.subject_type)].format(id=quote(notice.subject_id, safe=""))
    is_one = notice.subject_type != Subject.ESCROWS
    return f"{path}#{kind.fragment}" if kind and kind.fragment and is_one else path


def _sentence(kind: Kind, notice: Notice) -> str:
    template = (TOLD_TOGETHER if notice.subject_type == Subject.ESCROWS else kind.sentence).template
    # A sentence may have learnt to say more since the notice was written.
    wanted = {name: "…" for _, name, _, _ in Formatter().parse(template) if name}
    return translated(said(template, **(wanted | _values(notice.detail))))


def _values(detail: Mapping[str, str]) -> dict[str, str]:
    values = dict(detail)
    if amount := detail.get("amount"):
        values["amount"] = money(Amount.parse(amount, allow_zero=True))
    if deadline := detail.get("deadline"):
        values["deadline"] = f"{day_and_time(datetime.fromisoformat(deadline))} UTC"
    return values


def _icon(kind: Kind) -> str:
    choice = choice_named(kind.choice)
    return "shield" if choice.is_fixed else _ICONS[choice.audience]
