"""Read the commands of a page and run them as a reader would, against a real server.

A block is fenced as `console`; a line after `$ ` is a command, `\\` at its end continues it, and what follows is what
it prints. Two kinds of command are known: `name=value`, and `curl` with the options of `_request`. They are run
without a shell, so that the page is tested where neither a shell nor curl is there.
"""

from __future__ import annotations

import http.client
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Template
from urllib.parse import urlsplit

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<now>"),
    (re.compile(r'"request_id": *"[^"]+"'), '"request_id": "<request>"'),
)


@dataclass(frozen=True)
class Step:
    """A command of the page, and what the page says that it prints."""

    command: str
    printed: str


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None


def steps(page: str) -> Iterator[Step]:
    """Return the commands of a page in their order."""
    for block in BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.replace("\\\n", " ").splitlines()
            # A quotation goes on over the end of a line.
            end = next(end for end in range(1, len(lines) + 1) if "".join(lines[:end]).count("'") % 2 == 0)
            yield Step("\n".join(lines[:end]), "\n".join(lines[end:]))


def run(step: Step, variables: dict[str, str], port: int) -> str:
    """Run one command and return what it prints; `name=value` is kept in `variables`."""
    assigned = re.fullmatch(r"(\w+)=(.*)", step.command)
    if assigned:
        variables[assigned[1]] = "".join(shlex.split(assigned[2]))
        return ""
    return _answer(_request(step.command, variables), port)


def comparable(text: str) -> object:
    """Return what must be equal of two answers: the content, not the line breaks, and nothing that varies."""
    for pattern, stands_for in VARYING:
        text = pattern.sub(stands_for, text)
    try:
        return json.loads(text)
    except ValueError:
        return text.split()


def _request(command: str, variables: Mapping[str, str]) -> Request:
    words = iter(_words(command, variables))
    if next(words) != "curl":
        raise ValueError(f"This command of the page is not known here: {command}")
    method, url, headers, body = "", "", {}, None
    for word in words:
        if word == "-s":
            continue
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif word.startswith("http://"):
            url = word
        else:
            raise ValueError(f"curl's {word} is not known here: {command}")
    return Request(method or ("GET" if body is None else "POST"), url, headers, body)


def _words(command: str, variables: Mapping[str, str]) -> list[str]:
    # Variables stand outside of single quotes only, as in a shell.
    expanded = [
        part if part.startswith("'") else Template(part).substitute(variables)
        for part in re.split(r"('[^']*')", command)
    ]
    return shlex.split("".join(expanded))


def _answer(request: Request, port: int) -> str:
    parts = urlsplit(request.url)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(request.method, path, request.body, dict(request.headers))
        return connection.getresponse().read().decode()
    finally:
        connection.close()
