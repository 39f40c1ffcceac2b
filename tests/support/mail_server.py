"""A real SMTP server in the process of a test: it takes, delays or refuses mail as it is told to, and can go away."""

from __future__ import annotations

import email
import socketserver
import ssl
import threading
from email import policy
from email.message import EmailMessage
from typing import Any


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mail_server: MailServer


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
        self.wfile.flush()

    def hear(self) -> str:
        return self.rfile.readline().decode().rstrip("\r\n")

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def handle(self) -> None:
        told = self.server.mail_server
        self.say("220 mail.test ESMTP")
        recipient = ""
        while line := self.hear():
            word, _, rest = line.partition(" ")
            match word.upper():
                case "EHLO":
                    offers = ["mail.test", *(["STARTTLS"] if told.context else []), "AUTH PLAIN", "8BITMIME"]
                    for offer in offers:
                        self.say(f"250-{offer}")
                    self.say("250 SIZE 1000000")
                case "STARTTLS":
                    self.say("220 go ahead")
                    assert told.context is not None
                    try:
                        self.connection = told.context.wrap_socket(self.request, server_side=True)
                    except ssl.SSLError:
                        return  # The other side does not believe who we are.
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
                    told.was_encrypted = True
                case "AUTH":
                    told.log_ins.append(rest)
                    self.say("235 welcome")
                case "MAIL":
                    self.say("250 sender fine")
                case "RCPT":
                    recipient = rest.partition("<")[2].partition(">")[0]
                    self.say(told.answers.get(recipient, "250 recipient fine"))
                case "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text[1:] if text.startswith(b"..") else text)
                    told.take(recipient, b"".join(lines))
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 fine")


class MailServer:
    """What was taken stands in `mails` as (recipient, message). `answers` are for recipients that it does not take."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.mails: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.log_ins: list[str] = []
        self.was_encrypted = False
        self._server: _Server | None = None
        self.port = 0

    def start(self) -> MailServer:
        self._server = _Server(("127.0.0.1", self.port), _Conversation)
        self._server.mail_server = self
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def stop(self) -> None:
        """Go away; `start` comes back at the same port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, recipient: str, content: bytes) -> None:
        message: Any = email.message_from_bytes(content, policy=policy.default)
        self.mails.append((recipient, message))
