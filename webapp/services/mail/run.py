"""The worker's pass over the mail that is to be sent: outside of units of work, and for a few seconds at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.models import User
from webapp.services.mail.digests import Digest, Digests
from webapp.services.mail.mailboxes import Mailboxes
from webapp.services.mail.server import (
    MailDelayedError,
    MailLine,
    MailRefusedError,
    MailServerError,
    connected,
)

log = structlog.get_logger(__name__)

# A worker that is silent for longer would count as an outage.
SECONDS_PER_RUN = 8.0
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0


class Composer(Protocol):
    """Who writes the mails, in the words and the language of their readers.

    Raises MailRefusedError for a reader to whose address no mail can be written.
    """

    def link(self, user: User) -> EmailMessage:
        """The mail with the link by which an address is confirmed."""

    def digest(self, user: User, digest: Digest) -> EmailMessage:
        """The mail with what the user is told."""


class MailRun:
    """Sends what is due. While the server is away it is asked less and less often; nothing is lost meanwhile."""

    def __init__(self, session: Session, settings: Settings, composer: Composer) -> None:
        self._settings = settings.mail
        self._composer = composer
        self._digests = Digests(session, timedelta(minutes=settings.mail.digest_minutes))
        self._mailboxes = Mailboxes(session)
        self._failures, self._next_at = 0, 0.0

    def run(self) -> int:
        """The number of mails that were taken. Raises MailServerError when the server cannot be used."""
        if time.monotonic() < self._next_at:
            return 0
        asking, due = self._digests.asking(), self._digests.due()
        if not asking and not due:
            return 0
        ends_at = time.monotonic() + SECONDS_PER_RUN
        try:
            with connected(self._settings, SECONDS_PER_RUN) as line:
                jobs = [(user, self._send_link) for user in asking] + [
                    (user, self._send_digest) for user in due
                ]
                sent = sum(
                    self._send(line, user, job) for user, job in jobs if time.monotonic() < ends_at - 1
                )
        except MailServerError:
            self._next_at = time.monotonic() + min(
                LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 10)
            )
            self._failures += 1
            raise
        self._failures = 0
        return sent

    def _send(self, line: MailLine, user: User, job: Callable[[MailLine, User], bool]) -> bool:
        """Whether a mail was taken. What fails for one address does not keep back the others."""
        if not self._digests.hold(user.id):
            return False
        try:
            return job(line, user)
        except MailServerError:
            self._digests.release(user.id)
            raise
        except MailRefusedError as error:
            log.warning("mail_refused", user=user.id, reason=error.detail)
            self._mailboxes.refuse(user.id)
        except MailDelayedError as error:
            log.warning("mail_delayed", user=user.id, reason=error.detail)
            if not self._digests.failed(user.id):
                self._mailboxes.refuse(user.id)
        return False

    def _send_link(self, line: MailLine, user: User) -> bool:
        line.send(self._composer.link(user), user.email)
        self._digests.sent_link(user.id)
        return True

    def _send_digest(self, line: MailLine, user: User) -> bool:
        digest = self._digests.gather(user.id)
        if digest is None:
            self._digests.release(user.id)
            return False
        line.send(self._composer.digest(user, digest), user.email)
        self._digests.sent(user.id, digest.last_id)
        return True
