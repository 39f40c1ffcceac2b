"""The SMTP server, and what its answers mean: taken, later, never, or that nothing can be sent at all."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from webapp.config import MailSettings
from webapp.domain.exceptions import DuxosError

PERMANENT = 500


class MailServerError(DuxosError):
    """The server is away, or refuses us rather than a reader: nothing can be sent now, and nothing is lost."""

    status = 503
    slug = "mail-server-away"
    title = "Mail cannot be sent at this moment"


class MailDelayedError(DuxosError):
    """This one mail was not taken now, and may be later."""

    status = 503
    slug = "mail-delayed"
    title = "The mail was not taken"


class MailRefusedError(DuxosError):
    """The server will not take mail for this address, ever."""

    status = 422
    slug = "mail-refused"
    title = "The address takes no mail"


class _Hurried(smtplib.SMTP):
    """A connection that is over at a certain time, however slowly the other side speaks."""

    def __init__(self, ends_at: float, **options: Any) -> None:
        self._ends_at = ends_at
        super().__init__(timeout=self._left(), **options)

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self._left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.settimeout(self._left())
        return super().getreply()

    def _left(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the mail server was too slow")
        return left


class _HurriedTls(_Hurried, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class MailLine:
    """An open connection."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def send(self, message: EmailMessage, address: str) -> None:
        """Hand it over. Raises MailDelayedError, MailRefusedError, MailServerError."""
        try:
            self._server.send_message(message, to_addrs=[address])
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            kind = MailRefusedError if code >= PERMANENT else MailDelayedError
            raise kind(f"the mail server answered {code}") from None
        except smtplib.SMTPDataError as error:
            raise MailDelayedError(f"the mail server answered {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise MailRefusedError("the mail server cannot write to such an address") from None
        except (smtplib.SMTPException, OSError) as error:
            raise _away(error) from None


@contextmanager
def connected(settings: MailSettings, seconds: float) -> Iterator[MailLine]:
    """A connection for at most so many seconds, logged in where the settings say so. Raises MailServerError."""
    try:
        server = _open(settings, time.monotonic() + seconds)
    except (smtplib.SMTPException, OSError) as error:
        raise _away(error) from None
    try:
        yield MailLine(server)
    finally:
        _close(server)


def _open(settings: MailSettings, ends_at: float) -> smtplib.SMTP:
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "local_hostname": urlsplit(settings.base_url).hostname,
    }
    context = ssl.create_default_context()
    if settings.security == "tls":
        server: smtplib.SMTP = _HurriedTls(ends_at, context=context, **options)
    else:
        server = _Hurried(ends_at, **options)
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, settings.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _close(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _away(error: Exception) -> MailServerError:
    """What went wrong, without the texts of the server: they may repeat addresses and secrets."""
    code = getattr(error, "smtp_code", None)
    answer = f"it answered {code}" if code else type(error).__name__
    return MailServerError(f"the mail server cannot be used: {answer}")
