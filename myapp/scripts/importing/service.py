"""Talk to a running service over HTTP: one connection kept, JSON both ways, repeats where they are safe.

Every POST carries an Idempotency-Key made of what it says, so that repeating one whose answer was lost never takes
effect twice.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from myapp import errors

ATTEMPTS = 5
WAIT_SECONDS_MAX = 10
TIMEOUT_SECONDS = 120
PAGE_SIZE = 1_000

# The service, or the database behind it, is busy or away: another attempt may be answered.
PASSING = frozenset({"unavailable", "overloaded", "outcome-unknown", "conflict", "idempotency-in-progress"})

Json = dict[str, Any]


class Unreachable(errors.MyappError):
    """The service does not answer."""

    code = "unavailable"


class ServiceError(errors.MyappError):
    """The service answered with a problem document; `index` is the place in a batch of what it refuses."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.code = str(problem.get("code", f"http-{status}"))
        self.status = status
        self.index: int | None = problem.get("index")
        super().__init__(f"The service answers {status} {self.code}: {problem.get('detail', 'without saying why')}")


class Service:
    """The API at a base URL."""

    def __init__(self, url: str, key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"{url} is no address of a service; it would be like http://127.0.0.1:6543")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._base = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "myapp-import"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def get(self, *path: str, **query: str) -> Json:
        return self._request("GET", address(*path, **query))

    def items(self, *path: str, **query: str) -> Iterator[Json]:
        """Yield what a list holds, page by page."""
        page = self.get(*path, limit=str(PAGE_SIZE), **query)
        yield from page["items"]
        while page["next"] is not None:
            page = self.get(*path, limit=str(PAGE_SIZE), after=page["next"], **query)
            yield from page["items"]

    def text_lines(self, *path: str, **query: str) -> Iterator[bytes]:
        """Yield the lines of an answer that is no JSON; one that breaks is an error, and not repeated."""
        self._connection.request(
            "GET", self._base + address(*path, **query), headers={**self._headers, "Accept": "*/*"}
        )
        response = self._connection.getresponse()
        if response.status != http.client.OK:
            raise ServiceError(response.status, _parse(response.read()))
        try:
            yield from response
        except (OSError, http.client.HTTPException) as exc:
            raise Unreachable(f"The service at {self._url} broke off: {str(exc) or type(exc).__name__}") from exc
        finally:
            # What was not read would be in the way of the next answer.
            if not response.isclosed():
                self._connection.close()

    def post(self, *path: str, body: Mapping[str, object], at: int | None = None) -> Json:
        """Post a body; `at` tells it from an equal one before it."""
        return self._request("POST", address(*path), body, at=at)

    def put(self, *path: str, body: Mapping[str, object]) -> Json:
        return self._request("PUT", address(*path), body)

    def patch(self, *path: str, body: Mapping[str, object]) -> Json:
        return self._request("PATCH", address(*path), body)

    def close(self) -> None:
        self._connection.close()

    def _request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, at: int | None = None
    ) -> Json:
        """Return the answer's JSON.

        Raises:
            ServiceError: any answer but 2xx, after repeats where those may help.
            Unreachable: no answer at any attempt.
        """
        sent = None if body is None else json.dumps(body).encode()
        attempt = 1
        while True:
            try:
                return self._attempt(method, path, sent, at)
            except (OSError, http.client.HTTPException) as exc:
                self._connection.close()
                if attempt == ATTEMPTS:
                    raise Unreachable(
                        f"The service at {self._url} does not answer: {str(exc) or type(exc).__name__}"
                    ) from exc
            except ServiceError as exc:
                if exc.code not in PASSING or attempt == ATTEMPTS:
                    raise
            time.sleep(min(2 ** (attempt - 1), WAIT_SECONDS_MAX))
            attempt += 1

    def _attempt(self, method: str, path: str, sent: bytes | None, at: int | None) -> Json:
        headers = dict(self._headers)
        if sent is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST" and sent is not None:
            headers["Idempotency-Key"] = _key(path, sent, at)
        self._connection.request(method, self._base + path, body=sent, headers=headers)
        response = self._connection.getresponse()
        content = response.read()
        parsed = _parse(content)
        if not 200 <= response.status < 300:
            raise ServiceError(response.status, parsed)
        return parsed


def address(*path: str, **query: str) -> str:
    """Return the path and query of an address under /v1; each segment is quoted."""
    segments = "/".join(quote(segment, safe=":") for segment in ("v1", *path))
    return f"/{segments}?{urlencode(query)}" if query else f"/{segments}"


def _key(path: str, sent: bytes, at: int | None) -> str:
    said = path.encode() + b"\0" + sent + (b"" if at is None else b"\0%d" % at)
    return hashlib.sha256(said).hexdigest()


def _parse(content: bytes) -> Json:
    """Return the object in an answer's body; a body that is none, as a proxy may send, says nothing."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
