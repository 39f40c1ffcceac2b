"""`flask mail`: whether the mail server takes our mail, for one who sets it up at a terminal."""

from __future__ import annotations

import click

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.exceptions import ConfigurationError, ValidationError
from webapp.services.mail.server import connected
from webapp.web.current import services
from webapp.web.mail_text import MailComposer

PATIENCE_SECONDS = 30.0

mail_commands = DuxosGroup("mail", help="Notices by e-mail.")


@mail_commands.command("test")
@click.option("--to", "address", required=True, help="Where a mail is sent to now.")
@json_option
def send_test(address: str, as_json: bool) -> None:
    """Send one mail by the settings, and say what the server made of it."""
    settings = services().settings
    if not settings.mail.host:
        raise ConfigurationError("mail.host is empty: no mail is sent")
    try:
        message = MailComposer(settings).test(address)
    except ValueError:
        raise ValidationError.of("to", "must be an e-mail address") from None
    with connected(settings.mail, PATIENCE_SECONDS) as line:
        line.send(message, address)
    emit({"to": address, "status": "taken"}, as_json=as_json)
