"""What the account page shows of notices: the choices, and how it stands with mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_login import current_user

from webapp.domain.notices import Audience
from webapp.services.mail.mailboxes import Mailboxes
from webapp.services.notices.choices import NoticeChoices, Ways
from webapp.web.current import db_session, services

_HEADINGS = {
    Audience.PAYER: _l("What you pay for"),
    Audience.PROVIDER: _l("What you provide"),
    Audience.ARBITER: _l("What you decide"),
    Audience.OPERATOR: _l("What you run"),
    Audience.EVERYBODY: _l("Your money and your account"),
}


@dataclass(frozen=True, slots=True)
class MailState:
    """How it stands with mail to the reader: `off`, `asked`, `on` or `refused`; without a mail server `none`."""

    word: str
    address: str


def own_choices() -> NoticeChoices:
    """The choices of whoever is logged in."""
    return NoticeChoices(db_session(), current_user.id, current_user.role)


def notice_choices() -> dict[str, Any]:
    """What partials/account_notices.html needs."""
    groups: dict[Audience, list[Ways]] = {}
    for ways in own_choices().present():
        groups.setdefault(ways.choice.audience, []).append(ways)
    return {
        "notice_groups": [(_HEADINGS[audience], ways) for audience, ways in groups.items()],
        "mail_state": MailState(_mail_word(), current_user.email),
        "digest_minutes": services().settings.mail.digest_minutes,
    }


def _mail_word() -> str:
    if not services().settings.mail.host:
        return "none"
    mailbox = Mailboxes(db_session()).find(current_user.id)
    if mailbox is None:
        return "off"
    if mailbox.address == current_user.email and mailbox.refused_at is None:
        return "on"
    if mailbox.asked_at and (mailbox.refused_at is None or mailbox.asked_at > mailbox.refused_at):
        return "asked"
    return "refused" if mailbox.refused_at else "off"
