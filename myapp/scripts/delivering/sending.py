"""Send one message, and never to where it must not go.

An address is judged when it is connected to, not by its name before: a name may lead elsewhere by then. Redirects are
not followed, no proxy is asked, certificates are verified, and of an answer nothing but its status is read. All of it
takes as long as the time-out says at most, whatever the other side does; only looking up a name has its own time.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

# Whoever is asked cannot know where these lead to.
EMBEDDING = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/23", "2001:db8::/32", "3fff::/20")))
# All that is given out for the open internet.
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Public by their number, and answered by whoever is near.
NEAR = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "168.63.129.16/32")))

USER_AGENT = "myapp-webhooks"
ERROR_LENGTH_MAX = 200


class Unreachable(OSError):
    """There is no address to which a message may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a message: a status, or what went wrong before there was one."""

    status: int | None = None
    error: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Say whether the receiver wants no more, ever."""
        return self.status == http.HTTPStatus.GONE

    def __str__(self) -> str:
        return self.error or f"answered {self.status}"


class Sender:
    """Sends messages; may be used by several threads."""

    def __init__(self, *, timeout_seconds: float, allows_private: bool) -> None:
        self._timeout_seconds = timeout_seconds
        self._allows_private = allows_private
        self._tls = ssl.create_default_context()

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """POST the body and return what became of it."""
        try:
            return self._send(url, body, headers)
        # A name that is none is a UnicodeError, an answer that is none a ValueError.
        except (OSError, http.client.HTTPException, ValueError) as exc:
            return Outcome(error=f"{type(exc).__name__}: {exc}"[:ERROR_LENGTH_MAX])

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        parts = urlsplit(url)
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        if not is_tls and not self._allows_private:
            raise Unreachable("only https is allowed")
        port = parts.port or (http.client.HTTPS_PORT if is_tls else http.client.HTTP_PORT)
        deadline = time.monotonic() + self._timeout_seconds
        with closing(http.client.HTTPConnection(host, port)) as connection:
            plain = self._connect(host, port, deadline)
            connection.sock = plain
            watch = threading.Timer(max(deadline - time.monotonic(), 0), _cut_off, [connection])
            watch.daemon = True
            watch.start()
            try:
                if is_tls:
                    # The handshake apart, so that the watch finds the socket that is in use.
                    connection.sock = wrapped = self._tls.wrap_socket(
                        plain, server_hostname=host, do_handshake_on_connect=False
                    )
                    if time.monotonic() >= deadline:
                        raise TimeoutError(f"no answer within {self._timeout_seconds:g} s")
                    wrapped.do_handshake()
                target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
                sent = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Host": parts.netloc, **headers}
                connection.request("POST", target, body, sent)
                status = connection.getresponse().status
                if time.monotonic() >= deadline:
                    # Cut off in the middle of its headers, an answer may look like a whole one.
                    raise TimeoutError(f"no answer within {self._timeout_seconds:g} s")
                return Outcome(status=status)
            finally:
                watch.cancel()

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        found = [info[4] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        allowed = [address for address in found if self._allows_private or is_public(str(address[0]))]
        if not allowed:
            raise Unreachable(f"{host} leads to no public address")
        for place, address in enumerate(allowed, start=1):
            left = max(deadline - time.monotonic(), 0.001)
            try:
                return socket.create_connection((str(address[0]), port), timeout=left)
            except OSError:
                if place == len(allowed):
                    raise
        raise Unreachable(f"{host} leads nowhere")


def is_public(text: str) -> bool:
    """Say whether an address is one of the open internet, and of nobody's own network."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address not in GLOBAL_UNICAST or any(address in network for network in EMBEDDING):
            return False
    elif any(address in network for network in NEAR):
        return False
    return address.is_global and not address.is_multicast


def _cut_off(connection: http.client.HTTPConnection) -> None:
    """End a connection whose time is over, below TLS, from another thread than the one that waits for it."""
    try:
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
    except OSError:
        # It has ended by itself.
        return
