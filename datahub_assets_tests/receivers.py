"""What takes notifications, for tests: an HTTP server and a mail server on this machine, with what they received."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Webhook:
    """An HTTP receiver: documents that were posted, and how it answers."""

    url: str = ""
    documents: list[dict[str, Any]] = field(default_factory=list)
    refuses: int = 0
    """So many requests are answered with 503 first."""
    asked: int = 0


@contextmanager
def webhook(refuses: int = 0) -> Iterator[Webhook]:
    """A webhook on a free port."""
    received = Webhook(refuses=refuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.asked += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if received.asked <= received.refuses:
                self.send_response(503)
            else:
                assert self.headers["Content-Type"] == "application/json"
                received.documents.append(json.loads(body))
                self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to the terminal."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """A mail server: its port, and the messages that it took."""

    port: int
    mails: list[Message] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"

    def text(self, number: int) -> str:
        """The words of a mail."""
        body = self.mails[number].get_payload(decode=True)
        assert isinstance(body, bytes)
        return body.decode()


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server on a free port."""
    made = Mailbox(free_port())
    server = Controller(made, hostname="127.0.0.1", port=made.port)
    server.start()
    try:
        yield made
    finally:
        server.stop()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
