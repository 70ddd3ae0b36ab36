"""``/healthz``, ``/readyz`` and ``/metrics``, for those who look at a daemon from outside."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from lakehouse.errors import UsageError

Answer = tuple[int, str, bytes]
"""Status, content type, body."""
_JSON: Final = "application/json"


class Server:
    """A small server. It only answers, and knows nothing that is personal.

    Args:
        listen: Host and port.
        answers: For each path what gives the answer, called in a thread for each question.

    Raises:
        UsageError: The address can't be had.
    """

    def __init__(self, listen: str, answers: dict[str, Callable[[], Answer]]) -> None:
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        handler = type("Handler", (_Handler,), {"answers": answers})
        try:
            self._server = _Threads((host, int(port)), handler, ipv6=":" in host)
        except OSError as error:
            raise UsageError(
                f"the daemon can't listen on {listen}: {error.strerror or type(error).__name__}",
                advice="another daemon runs on this host perhaps: give this one another `daemon.listen`, or "
                'none with `listen: ""`',
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, with the port that it got."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    # A port whose last connections are still closing is free; one that somebody listens on is not.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: Any, *, ipv6: bool) -> None:
        self.address_family = socket.AF_INET6 if ipv6 else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody who hangs up is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, Callable[[], Answer]]] = {}
    server_version = "lakehouse"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        give = self.answers.get(self.path.partition("?")[0])
        if give is None:
            paths = ", ".join(self.answers)
            status, kind, body = json_answer(404, {"error": f"there is nothing here but {paths}"})
        else:
            try:
                status, kind, body = give()
            except Exception as error:  # noqa: BLE001 - only its kind: a message could carry values
                status, kind, body = json_answer(500, {"error": type(error).__name__})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Questions are not logged: they come every few seconds."""


def json_answer(status: int, document: dict[str, Any]) -> Answer:
    """Makes an answer.

    Args:
        status: Its status.
        document: What to say.
    """
    return status, _JSON, json.dumps(document).encode() + b"\n"
