"""What our mails say, as text and as simple HTML, in their reader's language. No mail holds a secret of the account."""

from __future__ import annotations

from collections.abc import Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from webapp.config import Settings
from webapp.models import User
from webapp.services.mail.digests import Digest
from webapp.services.mail.links import Links
from webapp.services.mail.server import MailRefusedError
from webapp.web.language import speaking
from webapp.web.notice_words import NoticeWords, words_of

_PAGE = Markup(
    '<!doctype html><html><body style="font-family: sans-serif; line-height: 1.5; max-width: 36rem">'
    "{}</body></html>"
)


class MailComposer:
    """Writes the mails of one instance. It needs an application context, and no request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.mail
        self._links = Links(settings)
        self._host = urlsplit(settings.mail.base_url).hostname or "localhost"

    def link(self, user: User) -> EmailMessage:
        """The mail with the link by which an address is confirmed. Raises MailRefusedError."""
        with speaking(user.language):
            message = self._to_reader(user, _("Confirm your e-mail address"), "")
            before = _("Somebody, hopefully you, wants notices of DuxOS Escrow sent to this address.")
            after = _("Whoever did not ask for this does nothing: without the link no more mail comes.")
            url, label = self._links.confirm(user.id, user.email), _("Confirm this address")
            _fill(message, [before, (label, url), after])
        return message

    def digest(self, user: User, digest: Digest) -> EmailMessage:
        """The mail with what the user is told, the oldest first. Raises MailRefusedError."""
        with speaking(user.language):
            told = [words_of(notice) for notice in digest.notices]
            message = self._to_reader(user, _subject(told, digest.total), f"{user.id}.{digest.last_id}")
            farewell = self._links.unsubscribe(user.id)
            message["List-Unsubscribe"] = f"<{farewell}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            parts: list[str | tuple[str, str]] = []
            for words in told:
                parts += [(words.title, self._links.to(words.path)), words.sentence]
            if hidden := digest.total - len(told):
                more = ngettext("%(num)s more in your inbox", "%(num)s more in your inbox", hidden)
                parts.append((more, self._links.to("/notices")))
            parts.append((_("Choose what you are told"), self._links.to("/account#account-notices")))
            parts.append((_("Send me no more mail"), farewell))
            _fill(message, parts)
        return message

    def test(self, address: str) -> EmailMessage:
        """A mail that shows that mail arrives. Raises ValueError for what is no address."""
        message = self._message(address, "DuxOS Escrow sends mail", "")
        _fill(message, ["This is a test.", ("The site", self._links.to("/"))])
        return message

    def _to_reader(self, user: User, subject: str, number: str) -> EmailMessage:
        try:
            return self._message(user.email, subject, number)
        except ValueError:
            # An account may have an address that no header can hold: it must not keep back the mail of the others.
            raise MailRefusedError("no mail can be addressed to such an address") from None

    def _message(self, address: str, subject: str, number: str) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = subject
        message["From"] = Address("DuxOS Escrow", addr_spec=self._settings.sender)
        message["To"] = Address(addr_spec=address)
        message["Date"] = formatdate(usegmt=True)
        message["Auto-Submitted"] = "auto-generated"
        if number:
            # The same mail, sent twice because the answer was lost, is one to most readers.
            message["Message-ID"] = f"<notices.{number}@{self._host}>"
        return message


def _subject(told: list[NoticeWords], total: int) -> str:
    if total == 1:
        return told[0].title
    return ngettext(
        "%(title)s, and %(num)s more notice",
        "%(title)s, and %(num)s more notices",
        total - 1,
        title=told[-1].title,
    )


def _fill(message: EmailMessage, parts: Iterable[str | tuple[str, str]]) -> None:
    """Paragraphs, and links as (words, address)."""
    found = [part for part in parts if part]
    texts = [part if isinstance(part, str) else f"{part[0]}\n{part[1]}" for part in found]
    message.set_content("\n\n".join(texts) + "\n")
    pieces = [
        Markup("<p>{}</p>").format(part)
        if isinstance(part, str)
        else Markup('<p><a href="{1}"><strong>{0}</strong></a></p>').format(*part)
        for part in found
    ]
    message.add_alternative(_PAGE.format(Markup("\n").join(pieces)), subtype="html")
