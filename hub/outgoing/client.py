"""One request to a checked address, bounded in time and size."""

from __future__ import annotations

import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.outgoing.addresses import Address, Allowed, Target, check_url
from hub.outgoing.errors import AnswerTooLargeError, OutgoingError

LIMIT_SECONDS = 10.0
LIMIT_BYTES = 1024 * 1024
# From a host and a port to the addresses it has now, as text.
Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def system_resolver(host: str, port: int) -> list[str]:
    """What this machine's resolver says. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def send(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    allowed: Allowed,
    resolver: Resolver = system_resolver,
    limit_seconds: float = LIMIT_SECONDS,
    limit_bytes: int = LIMIT_BYTES,
) -> Answer:
    """Send one request and return the answer, whatever its status; redirects are answers too.

    The name is resolved once, every address it has is checked, and the connection goes to one of
    those. `limit_seconds` holds for all of it, from the name to the last byte.
    Raises: OutgoingError, whose subclasses say what was refused.
    """
    started = time.monotonic()
    clock = Clock(started + limit_seconds)
    target = check_url(url, allowed)
    try:
        addresses = _addresses(target, allowed, resolver, clock)
        with _connect(target, addresses, clock) as connection:
            connection.settimeout(clock.left())
            connection.sendall(_head(method, target, headers or {}, body) + body)
            status, found, content = _receive(connection, method, clock, limit_bytes)
    except TimeoutError:
        raise OutgoingError(f"No whole answer within {limit_seconds:g} seconds.") from None
    except ssl.SSLCertVerificationError as error:
        reason = f"The certificate is not valid: {error.verify_message}."
        raise OutgoingError(reason) from None
    except http.client.HTTPException:
        raise OutgoingError("The answer is not HTTP.") from None
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise OutgoingError(f"The connection failed: {cause}.") from None
    return Answer(status, found, content, time.monotonic() - started)


@dataclass(frozen=True)
class Clock:
    ends_at: float

    def left(self) -> float:
        """Seconds until the end. Raises: TimeoutError when it has come."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _addresses(target: Target, allowed: Allowed, resolver: Resolver, clock: Clock) -> list[Address]:
    """The addresses of the host, each of them checked: one bad one refuses all."""
    try:
        answers = _in_time(lambda: resolver(target.host, target.port), clock)
    except TimeoutError:
        raise
    except (OSError, UnicodeError):
        raise OutgoingError(f"The host “{target.host}” is not known.") from None
    found = [ipaddress.ip_address(text) for text in answers]
    if not found:
        raise OutgoingError(f"The host “{target.host}” has no address.")
    for address in found:
        allowed.check(target.host, address)
    return found


def _in_time(ask: Callable[[], Any], clock: Clock) -> Any:
    """What `ask` returns, asked in a thread of its own: resolvers know no time limit."""
    answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:  # handed to the waiting thread
            answers.put((None, error))

    threading.Thread(target=run, daemon=True, name="resolver").start()
    try:
        answer, error = answers.get(timeout=clock.left())
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return answer


def _connect(target: Target, addresses: list[Address], clock: Clock) -> socket.socket:
    """A connection to the first address that takes it; with TLS verified for the host's name."""
    for last, address in enumerate(addresses, start=1 - len(addresses)):
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Addresses that follow get their share of the time.
            plain.settimeout(clock.left() / (1 - last))
            plain.connect((str(address), target.port))
            plain.settimeout(clock.left())
            if not target.secure:
                return plain
            return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
        except OSError:
            plain.close()
            if last == 0:
                raise
    raise OutgoingError("There is no address to connect to.")


def _head(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {
        "Host": target.authority,
        "Connection": "close",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = [f"{method} {target.path} HTTP/1.1", *(f"{key}: {val}" for key, val in fields.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise OutgoingError("A header must be one line.")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


class _Timed(io.RawIOBase):
    """What a socket receives, each read within the time that is left of the whole request."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection, self._clock = connection, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._clock.left())
        return self._connection.recv_into(buffer)


class _Reading:
    """As much of a socket as `HTTPResponse` asks for."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._raw = _Timed(connection, clock)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw)


def _receive(
    connection: socket.socket, method: str, clock: Clock, limit_bytes: int
) -> tuple[int, Mapping[str, str], bytes]:
    reading: Any = _Reading(connection, clock)
    response = http.client.HTTPResponse(reading, method=method)
    try:
        response.begin()
        body = response.read(limit_bytes + 1)
        headers = {name.lower(): value for name, value in response.getheaders()}
    finally:
        response.close()
    if len(body) > limit_bytes:
        raise AnswerTooLargeError(f"The answer is larger than {limit_bytes} bytes.")
    return response.status, headers, body
