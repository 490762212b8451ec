"""The worked cases of docs/ledger.md: every request is sent, every answer compared with what the page says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import webtest

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
BLOCK = re.compile(r"^```http\n(?P<request>.*?)\n\n(?P<status>\d{3})\n(?P<answer>.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| (?P<paths>`[^|]*`) \| (?P<type>asset|liability|equity|income|expense) \| (?P<note>.*?) *\|$", re.MULTILINE
)
NAME = re.compile(r"<([a-z0-9-]+)>")
LEDGER = "/v1/ledgers/books"


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    body: Any
    status: int
    answer: Any


def read_cases() -> Iterator[Case]:
    """Return the requests of the page in their order."""
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        first, _, body = found["request"].partition("\n")
        method, path = first.split(" ")
        yield Case(method, path, json.loads(body) if body else None, int(found["status"]), json.loads(found["answer"]))


def read_accounts() -> Iterator[dict[str, Any]]:
    """Return the accounts of the page's table."""
    for row in ROW.finditer(PAGE.read_text(encoding="utf-8")):
        for path in re.findall(r"`([^`]+)`", row["paths"]):
            limits = {"EUR": {"min": "0.00"}} if "minimum 0.00 EUR" in row["note"] else {}
            yield {"path": path, "type": row["type"], "limits": limits}


def filled(value: Any, known: dict[str, str]) -> Any:
    """Return a value of the page with the ids in place of their names."""
    return json.loads(NAME.sub(lambda name: known[name[1]], json.dumps(value)))


def compare(said: Any, got: Any, known: dict[str, str], where: str) -> None:
    """Compare what the page says of an answer with the answer, and learn the ids it names for the first time."""
    match said:
        case dict():
            for member, value in said.items():
                compare(value, got[member], known, f"{where}/{member}")
        case list():
            assert len(said) == len(got), where
            for place, value in enumerate(said):
                compare(value, got[place], known, f"{where}/{place}")
        case str() if (name := NAME.fullmatch(said)) is not None:
            assert known.setdefault(name[1], got) == got, where
        case _:
            assert said == got, where


def test_every_answer_is_what_the_page_says(app: webtest.TestApp) -> None:
    known: dict[str, str] = {}
    cases = list(read_cases())
    assert len(cases) > 20

    for case in cases:
        path = filled(case.path, known)
        address = path if path.startswith("/") else f"{LEDGER}/{path}"
        body = b"" if case.body is None else json.dumps(filled(case.body, known)).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        answer = app.request(address, method=case.method, body=body, headers=headers, status="*")
        assert answer.status_int == case.status, (case, answer.text)
        compare(case.answer, answer.json, known, f"{case.method} {case.path}")
        if case.path == "/v1/ledgers":
            for account in read_accounts():
                app.post_json(f"{LEDGER}/accounts", account, status=201)
