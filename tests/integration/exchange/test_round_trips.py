"""What is exported and loaded into a new ledger is exported again as the same, from any ledger and in each format."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import hypothesis
import pytest
from sqlalchemy.orm import Session, sessionmaker

from myapp import settings
from myapp.api.exchange.schemas import Format
from myapp.ledger import currencies, model, queries
from myapp.scripts import main
from tests import hledger
from tests.integration.exchange import books, lives
from tests.integration.exchange.lives import Kind, Step

pytestmark = pytest.mark.slow

RANDOM = hypothesis.settings(
    max_examples=10, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    (tmp_path / "development.ini").write_text("[app:main]\nuse = egg:myapp\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(settings.URL_VARIABLE, database_url)


def load(content: bytes, suffix: str, *options: str) -> str:
    """Load a file into a new ledger and return its name."""
    name = f"loaded-{secrets.token_hex(8)}"
    path = Path(f"{name}.{suffix}")
    path.write_bytes(content)
    assert main.main(["import", str(path), "--ledger", name, *options]) == 0
    return name


class TestBeancount:
    @RANDOM
    @hypothesis.given(wanted=books.ledgers())
    def test_comes_back_as_it_was(self, sessions: sessionmaker[Session], wanted: books.Wanted):
        name = books.make(sessions, wanted)
        first = books.exported(sessions, name, Format.BEANCOUNT)

        loaded = load(first, "beancount")

        assert books.exported(sessions, loaded, Format.BEANCOUNT).decode() == first.decode().replace(name, loaded)
        assert books.balances(sessions, loaded) == books.balances(sessions, name)


def load_again(content: bytes, loaded: str) -> None:
    path = Path(f"{loaded}-again.ndjson")
    path.write_bytes(content)
    assert main.main(["import", str(path), "--ledger", loaded]) == 0


def comes_back_as_it_was(sessions: sessionmaker[Session], wanted: books.Wanted) -> None:
    """Make a ledger, load its export into another and once more; compare all that readers see but ids and times."""
    name = books.make(sessions, wanted)
    first = books.exported(sessions, name, Format.NDJSON)

    loaded = load(first, "ndjson")
    second = books.exported(sessions, loaded, Format.NDJSON)
    load_again(first, loaded)

    assert books.content(second) == books.content(first)
    assert books.counters(sessions, loaded) == books.counters(sessions, name)
    assert books.outcomes(sessions, loaded) == books.outcomes(sessions, name)
    assert books.violations(sessions, loaded) == []
    assert books.exported(sessions, loaded, Format.NDJSON) == second


class TestNdjson:
    @RANDOM
    @hypothesis.given(wanted=books.lived_in())
    def test_comes_back_as_it_was(self, sessions: sessionmaker[Session], wanted: books.Wanted):
        comes_back_as_it_was(sessions, wanted)

    @pytest.mark.long
    @hypothesis.settings(RANDOM, max_examples=300)
    @hypothesis.given(wanted=books.lived_in())
    def test_comes_back_as_it_was_whatever_happened(self, sessions: sessionmaker[Session], wanted: books.Wanted):
        comes_back_as_it_was(sessions, wanted)

    def test_that_was_loaded_comes_back_a_second_time_with_its_expired_holds(self, sessions: sessionmaker[Session]):
        steps = [
            Step(Kind.BRIEF_HOLD, which=1, amount=5, minutes=1),
            Step(Kind.POST, which=0, amount=2, minutes=1),
            Step(Kind.BRIEF_HOLD, which=1, amount=5, minutes=1),
            Step(Kind.VOID, which=1, amount=1, minutes=1),
            Step(Kind.LOCK, which=1, amount=1, minutes=10),
            Step(Kind.SWEEP, which=0, amount=1, minutes=1),
            Step(Kind.BRIEF_HOLD, which=1, amount=9, minutes=1),
        ]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        first = books.exported(sessions, name, Format.NDJSON)

        loaded = load(books.exported(sessions, load(first, "ndjson"), Format.NDJSON), "ndjson")

        second = books.content(books.exported(sessions, loaded, Format.NDJSON))
        assert second == books.content(first)
        log = [line for line in second if line["line"] == "transaction"]
        expired_at = lives.START + timedelta(minutes=1 + 5)
        locked_at = lives.START + timedelta(minutes=4 + 10 - 1)
        assert expired_at < locked_at
        assert [(line["status"], line["effective_at"][:16]) for line in log[3:5]] == [
            ("voided", "2020-01-01T00:04"),
            ("expired", f"{locked_at:%Y-%m-%dT%H:%M}"),
        ]
        # Nobody has swept the last one, so it still reserves; readers see it as expired.
        assert books.outcomes(sessions, loaded)[0][0] is model.Status.EXPIRED
        assert books.counters(sessions, loaded) == books.counters(sessions, name)

    def test_prices_and_their_corrections_come_back_in_their_order(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
    ):
        steps = [Step(Kind.PRICE, which=0, amount=amount, minutes=3) for amount in (1, 2, 1, 3)]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        first = books.exported(sessions, name, Format.NDJSON)

        loaded = load(first, "ndjson")
        assert "prices        4 recorded, 0 already there" in capsys.readouterr().out
        load_again(first, loaded)

        assert "prices        0 recorded, 4 already there" in capsys.readouterr().out
        found = books.content(books.exported(sessions, loaded, Format.NDJSON))
        assert [line["price"] for line in found if line["line"] == "price"] == ["1", "2", "1", "3"]

    def test_another_price_than_the_ledgers_is_refused(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
    ):
        steps = [Step(Kind.PRICE, which=0, amount=1, minutes=3)]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        content = books.exported(sessions, name, Format.NDJSON)
        path = Path("other.ndjson")
        path.write_bytes(content.replace(b'"price":"1"', b'"price":"2"'))

        assert main.main(["import", str(path), "--ledger", name]) == 1

        assert "something else here, the price of EUR in USD" in capsys.readouterr().err
        assert books.exported(sessions, name, Format.NDJSON) == content

    def test_the_period_is_locked_at_the_end_and_never_opened_again(self, sessions: sessionmaker[Session]):
        steps = [Step(Kind.SALE, which=4, amount=1, minutes=1), Step(Kind.LOCK, which=1, amount=1, minutes=9)]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        content = books.exported(sessions, name, Format.NDJSON)
        loaded = load(content, "ndjson")
        assert books.ledger(sessions, loaded).locked_before == lives.START + timedelta(minutes=9)
        later = lives.START + timedelta(days=400)
        books.lock(sessions, loaded, later)

        load_again(content, loaded)

        assert books.ledger(sessions, loaded).locked_before == later

    @pytest.mark.parametrize("kind", [Kind.POST, Kind.VOID, Kind.REVERSE])
    def test_a_slice_without_what_it_belongs_to_is_refused_before_anything_is_loaded(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str], kind: Kind
    ):
        first = Kind.SALE if kind is Kind.REVERSE else Kind.HOLD
        steps = [
            Step(first, which=1, amount=5, minutes=1),
            Step(Kind.SALE, which=1, amount=5, minutes=10),
            Step(kind, which=0, amount=3, minutes=10),
        ]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        period = queries.Period(lives.START + timedelta(minutes=5))
        path = Path("slice.ndjson")
        path.write_bytes(books.exported(sessions, name, Format.NDJSON, period))

        assert main.main(["import", str(path), "--ledger", f"{name}-2"]) == 1

        said = capsys.readouterr().err
        assert re.search(
            r"slice\.ndjson:\d+: belongs to the transaction .* outside of the period that was exported", said
        )
        assert not books.exists(sessions, f"{name}-2")

    def test_a_slice_that_is_complete_in_itself_is_loaded(self, sessions: sessionmaker[Session]):
        kinds = [Kind.SALE, Kind.HOLD, Kind.POST, Kind.PRICE]
        steps = [Step(kind, which=1, amount=5, minutes=10) for kind in kinds]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[], steps=steps))
        content = books.exported(sessions, name, Format.NDJSON, queries.Period(lives.START + timedelta(minutes=15)))

        loaded = load(content, "ndjson")

        head, *rest = books.content(content)
        assert head["from"] == "2020-01-01T00:15:00Z"
        assert books.content(books.exported(sessions, loaded, Format.NDJSON))[1:] == rest
        assert rest[-1] == {"line": "total", "transactions": 2, "postings": 5, "prices": 1}

    def test_holds_and_reversals_come_back_as_they_were(self, sessions: sessionmaker[Session]):
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[]))
        books.hold_post_void_and_reverse(sessions, name)
        first = books.exported(sessions, name, Format.NDJSON)

        loaded = load(first, "ndjson")

        assert books.content(books.exported(sessions, loaded, Format.NDJSON)) == books.content(first)
        assert books.counters(sessions, loaded) == books.counters(sessions, name)
        assert books.violations(sessions, loaded) == []

    def test_goes_on_where_it_was_interrupted_and_changes_nothing_when_it_is_there(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
    ):
        sales = [books.sale(f"{number}.00") for number in range(1, 4)]
        wanted = books.Wanted(accounts=books.two_accounts(), transactions=sales[:1])
        begun = books.make(sessions, wanted)
        whole = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=sales))
        path = Path("whole.ndjson")
        path.write_bytes(books.exported(sessions, whole, Format.NDJSON))

        for expected in ("2 recorded, 1 already there", "0 recorded, 3 already there"):
            assert main.main(["import", str(path), "--ledger", begun]) == 0
            assert expected in capsys.readouterr().out

        assert books.content(books.exported(sessions, begun, Format.NDJSON)) == books.content(path.read_bytes())

    def test_is_refused_by_a_ledger_that_has_something_else(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
    ):
        names = [
            books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=[books.sale(amount)]))
            for amount in ("1.00", "2.00")
        ]
        path = Path("one.ndjson")
        path.write_bytes(books.exported(sessions, names[0], Format.NDJSON))
        before = books.exported(sessions, names[1], Format.NDJSON)

        assert main.main(["import", str(path), "--ledger", names[1]]) == 1

        assert "the ledger has something else here" in capsys.readouterr().err
        assert books.exported(sessions, names[1], Format.NDJSON) == before

    @pytest.mark.parametrize("damage", ["last line", "a line", "half a line", "another file", "newer"])
    def test_that_is_not_whole_is_refused_before_anything_is_loaded(
        self, sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str], damage: str
    ):
        sales = [books.sale("1.00"), books.sale("2.00")]
        name = books.make(sessions, books.Wanted(accounts=books.two_accounts(), transactions=sales))
        lines = books.exported(sessions, name, Format.NDJSON).splitlines(keepends=True)
        damaged = {
            "last line": b"".join(lines[:-1]),
            "a line": b"".join([*lines[:-2], lines[-1]]),
            "half a line": b"".join(lines)[:-9],
            "another file": b'{"line":"total","transactions":0,"postings":0}\n',
            "newer": b"".join(lines).replace(b'"version":2', b'"version":3', 1),
        }[damage]
        path = Path("damaged.ndjson")
        path.write_bytes(damaged)

        assert main.main(["import", str(path), "--ledger", f"{name}-2"]) == 1

        assert "damaged.ndjson" in capsys.readouterr().err
        assert not books.exists(sessions, f"{name}-2")


def printed(journal: bytes) -> bytes:
    """Return what hledger prints of a journal as JSON."""
    path = Path(f"{secrets.token_hex(8)}.journal")
    path.write_bytes(journal)
    return hledger.run(path, "print", "--output-format=json").encode()


def used(journal: bytes, wanted: books.Wanted) -> list[str]:
    """Return an export's parts, without the accounts and currencies that nothing is in: none of those are printed."""
    lines = [line for each in wanted.transactions for line in each.postings]
    paths, codes = {each.account for each in lines}, {each.currency for each in lines}
    known = {*codes, *currencies.iso_exponents()}

    def is_used(block: str) -> bool:
        if block.startswith("account "):
            return unquote(re.findall("ledger-path:(.*)", block)[0]) in paths
        if block.startswith("P "):
            return all(code in known for code in re.findall(r"[A-Z][A-Z0-9'._-]*", block[2:].partition(";")[0]))
        return not block.startswith("commodity ") or block.split(maxsplit=2)[2].strip().strip('"') in codes

    blocks = re.split(r"^(?=account |commodity |P |\d{4}-)", journal.decode(), flags=re.MULTILINE)
    return [block.strip("\n") for block in blocks[1:] if is_used(block)]


def one_sale(account: str = "assets:cash", **more: object) -> books.Wanted:
    """Return a ledger with a transaction from another account."""
    lines = [
        replace(line, account=path) for line, path in zip(books.sale("1.00").postings, (account, "x"), strict=True)
    ]
    accounts = [model.NewAccount(path=path, type=model.AccountType.ASSET) for path in (account, "x")]
    return books.Wanted(accounts=accounts, transactions=[replace(books.sale("1.00"), postings=lines, **more)])


@pytest.mark.oracle
class TestHledger:
    @RANDOM
    @hypothesis.given(wanted=books.ledgers())
    # What did not come back once.
    @hypothesis.example(wanted=one_sale(metadata={"x": "a\u2028b", "a1": "c\u2029d"}))
    # An account that is called like a currency that nothing is in.
    @hypothesis.example(wanted=one_sale("A"))
    def test_comes_back_as_it_was(self, sessions: sessionmaker[Session], wanted: books.Wanted):
        name = books.make(sessions, wanted)
        first = books.exported(sessions, name, Format.HLEDGER)
        if not wanted.transactions:
            return

        Path("book.journal").write_bytes(first)
        options = ["--prices", "book.journal"] if wanted.prices else []

        loaded = load(printed(first), "json", *options)

        assert used(books.exported(sessions, loaded, Format.HLEDGER), wanted) == used(first, wanted)
        assert books.balances(sessions, loaded) == books.balances(sessions, name)
