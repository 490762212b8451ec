"""An export that was changed by hand, or by accident, is refused with the line before anything of it is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.api.exchange.schemas import Format
from myapp.ledger import model
from myapp.scripts import main
from tests.integration.exchange import books, lives
from tests.integration.exchange.lives import Kind, Step

Lines = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], None]

# The places of the transactions that `_lines` makes.
SALE, HOLD, LATER_HOLD, PART, LAST, VOIDED, REVERSAL = range(7)


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    (tmp_path / "development.ini").write_text("[app:main]\nuse = egg:myapp\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(settings.URL_VARIABLE, database_url)


@pytest.fixture(scope="module")
def name(sessions: sessionmaker[Session]) -> str:
    """Return the name of a ledger with something of each kind."""
    name = books.make(
        sessions,
        books.Wanted(
            accounts=books.two_accounts(),
            transactions=[books.sale("1.00")],
            bounds={"assets:cash": model.NewLimits(min=Decimal(-5), max=None)},
            steps=[Step(Kind.PRICE, which=0, amount=1, minutes=3)],
        ),
    )
    books.hold_post_void_and_reverse(sessions, name)
    books.lock(sessions, name, lives.START)
    return name


@pytest.fixture(scope="module")
def content(sessions: sessionmaker[Session], name: str) -> bytes:
    return books.exported(sessions, name, Format.NDJSON)


@pytest.fixture
def whole(content: bytes) -> Lines:
    """Return the lines of its export."""
    return [json.loads(line) for line in content.splitlines()]


def of_kind(whole: Lines, kind: str) -> list[int]:
    return [place for place, line in enumerate(whole) if line["line"] == kind]


def write(whole: Lines) -> None:
    total = whole[-1]
    of_transactions = [line for line in whole if line["line"] == "transaction"]
    total["transactions"] = len(of_transactions)
    total["postings"] = sum(len(line["postings"]) for line in of_transactions)
    Path("damaged.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in whole), encoding="utf-8")


def load(name: str) -> int:
    return main.main(["import", "damaged.ndjson", "--ledger", name])


def put(**more: Any) -> Change:
    return lambda line: line.update(more)


def without(member: str) -> Change:
    return lambda line: line.pop(member)


def in_postings(**more: Any) -> Change:
    """Change the first debit and the first credit alike, so that they still balance."""

    def change(line: dict[str, Any]) -> None:
        for side in ("debit", "credit"):
            posting = next(each for each in line["postings"] if side in each)
            posting.update({side: more["amount"]} if "amount" in more else more)

    return change


def in_limits(line: dict[str, Any]) -> None:
    line["limits"] = {"USD": {"min": "abc"}}


HEAD = [
    ("ledger", put(locked_before="garbage"), "Expected a time"),
    ("ledger", put(locked_before=""), "Expected a time"),
    ("account", put(type="weird"), r"Invalid enum value 'weird' - at `\$\.type`"),
    ("account", in_limits, r"\$\.limits"),
    ("currency", put(exponent=99), r"\$\.exponent"),
    ("price", put(price="abc"), r"\$\.price"),
    ("price", put(effective_at="2020-13-01T00:00:00Z"), "Expected a time"),
]
TOGETHER = "its status, its effects and what it belongs to do not go together"
TRANSACTIONS = [
    (SALE, put(status="voided"), TOGETHER),
    (SALE, put(status="pending"), TOGETHER),
    (SALE, in_postings(effect="taken"), TOGETHER),
    (SALE, in_postings(effect="weird"), TOGETHER),
    (SALE, put(expires_at="2030-01-01T00:00:00Z"), "only a hold expires"),
    (SALE, lambda line: line["postings"][0].update(credit="1.00"), "a posting is a debit or a credit"),
    (HOLD, put(status="posted"), TOGETHER),
    (PART, put(status="pending"), TOGETHER),
    (PART, in_postings(effect="posted"), TOGETHER),
    (PART, put(description=None), "has no description, and would get that of what it belongs to: 'two parts'"),
    (PART, in_postings(amount="x"), "x is no amount"),
    (VOIDED, put(status="posted"), "posts nothing of the hold"),
    (VOIDED, without("pending_of"), TOGETHER),
    (VOIDED, in_postings(amount="4.00"), "gives back something else than the hold .* has left"),
    (VOIDED, put(reference="r"), "what gives back a hold has the hold's description, no reference and no metadata"),
    (VOIDED, put(metadata={"a": "1"}), "what gives back a hold has the hold's description"),
    (VOIDED, put(description="another"), "what gives back a hold has the hold's description"),
    (REVERSAL, in_postings(amount="4.01"), "is not the reverse of the transaction"),
    (REVERSAL, put(status="voided"), TOGETHER),
    (REVERSAL, put(description=None), "has no description"),
]


def refused(capsys: pytest.CaptureFixture[str], place: int) -> str:
    """Return what is said of the line at this place, which is all there is."""
    said = capsys.readouterr().err
    found = re.fullmatch(rf"[^\n]*damaged\.ndjson:{place + 1}: ([^\n]*)\n", said)
    assert found is not None, said
    return found[1]


class TestDamagedLines:
    def test_are_not_those_of_an_export(self, sessions: sessionmaker[Session], name: str, whole: Lines, content: bytes):
        write(whole)

        assert load(f"{name}-whole") == 0

        loaded = books.exported(sessions, f"{name}-whole", Format.NDJSON)
        assert books.content(loaded) == books.content(content)

    @pytest.mark.parametrize(("kind", "change", "expected"), HEAD)
    def test_around_the_transactions(
        self,
        sessions: sessionmaker[Session],
        capsys: pytest.CaptureFixture[str],
        name: str,
        whole: Lines,
        kind: str,
        change: Change,
        expected: str,
    ):
        place = of_kind(whole, kind)[0]
        change(whole[place])
        write(whole)

        assert load(f"{name}-2") == 1

        assert re.search(expected, refused(capsys, place))
        assert not books.exists(sessions, f"{name}-2")

    @pytest.mark.parametrize(("which", "change", "expected"), TRANSACTIONS)
    def test_of_transactions(
        self,
        sessions: sessionmaker[Session],
        capsys: pytest.CaptureFixture[str],
        name: str,
        whole: Lines,
        which: int,
        change: Change,
        expected: str,
    ):
        place = of_kind(whole, "transaction")[which]
        change(whole[place])
        write(whole)

        assert load(f"{name}-2") == 1

        assert re.search(expected, refused(capsys, place))
        assert not books.exists(sessions, f"{name}-2")

    @pytest.mark.parametrize("which", [VOIDED, LAST])
    def test_that_end_a_hold_twice(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str], name: str, whole: Lines, which: int
    ):
        place = of_kind(whole, "transaction")[which]
        whole.insert(place + 1, {**whole[place], "reference": None})
        write(whole)

        assert load(f"{name}-2") == 1

        assert "gives back something else than the hold" in refused(capsys, place + 1)
        assert not books.exists(sessions, f"{name}-2")


class TestLedgerThatHasMore:
    @pytest.mark.parametrize(
        ("kind", "what"), [("transaction", "its transaction "), ("price", "the price of EUR in USD")]
    )
    def test_than_the_file_is_refused(
        self,
        sessions: sessionmaker[Session],
        capsys: pytest.CaptureFixture[str],
        name: str,
        whole: Lines,
        content: bytes,
        kind: str,
        what: str,
    ):
        whole.pop(of_kind(whole, kind)[-1])
        whole[-1]["prices"] = len(of_kind(whole, "price"))
        write(whole)

        assert load(name) == 1

        said = capsys.readouterr().err
        assert f"damaged.ndjson: the ledger has recorded more than is in the file, {what}" in said
        assert books.exported(sessions, name, Format.NDJSON) == content
