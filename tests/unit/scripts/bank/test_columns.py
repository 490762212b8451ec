from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from myapp.ledger.model import Side
from myapp.scripts.bank import columns, mapping
from myapp.scripts.bank.mapping import Columns, Mapping
from myapp.scripts.bank.statements import Statement, StatementError

DATA = Path(__file__).parent / "data"
SIMPLE = Mapping(currency="USD", columns=Columns(date="Date", amount="Amount", text=("Memo",), id="Id"))
TWO = Mapping(currency="USD", columns=Columns(date="Date", debit="Debit", credit="Credit"))


def read(text: str | bytes, how: Mapping = SIMPLE) -> Statement:
    content = text if isinstance(text, bytes) else text.encode()
    (statement,) = columns.read(content, how, file="bank.csv")
    return statement


def signed(statement: Statement) -> list[Decimal]:
    return [each.line.amount * (1 if each.line.side is Side.DEBIT else -1) for each in statement.entries]


class TestRead:
    def test_reads_what_a_german_bank_writes(self):
        how = mapping.read(DATA / "german.toml")

        statement = read((DATA / "german.csv").read_bytes(), how)

        assert signed(statement) == [Decimal("10000.00"), Decimal("-1234.56")]
        last = statement.entries[-1]
        assert (last.place, last.line.booked_on, last.line.currency) == (5, date(2026, 1, 30), "EUR")
        assert last.line.details == {
            "counterparty": "Bäckerei Müller",
            "text": 'Brötchen; "Tüte" 4711',
            "value_date": "30.01.2026",
        }
        assert statement.opening is not None
        assert statement.closing is not None
        assert (statement.opening.amount, statement.opening.day) == (0, date(2026, 1, 15))
        assert (statement.closing.amount, statement.closing.day) == (Decimal("8765.44"), date(2026, 1, 30))
        assert statement.left_out["lines of zero"] == 1

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_knows_unicode_by_its_mark_or_without(self, encoding: str):
        statement = read("Id,Date,Amount,Memo\n7,2026-01-31,-3,Café\n".encode(encoding))

        assert statement.entries[0].line.details == {"id": "7", "text": "Café"}
        assert statement.entries[0].line.bank_id == "7"

    def test_keeps_what_came_in_apart_from_what_went_out(self):
        text = "Date,Debit,Credit\n2026-01-01,5.00,\n2026-01-02,,7.00\n2026-01-03,,-1.00\n"

        assert signed(read(text, TWO)) == [-5, 7, -1]
        assert signed(read(text.replace("5.00", "-5.00"), TWO)) == [-5, 7, -1]

    def test_takes_the_direction_from_a_column(self):
        how = Mapping(currency="EUR", out=("S",), columns=Columns(date="D", amount="A", direction="K"))

        assert signed(read("D,A,K\n2026-01-01,5,S\n2026-01-01,5,H\n", how)) == [-5, 5]

    def test_turns_the_sign_of_a_card(self):
        how = Mapping(currency="EUR", inverted=True, columns=Columns(date="D", amount="A"))

        assert signed(read("D,A\n2026-01-01,5\n", how)) == [-5]

    def test_takes_columns_by_number_where_there_are_no_headings(self):
        how = Mapping(currency="EUR", headings=False, skip_end=1, columns=Columns(date=2, amount=1))

        assert signed(read("5,2026-01-01\n6,2026-01-02\nTotal,11\n", how)) == [5, 6]

    def test_finds_the_order_of_one_day_by_its_balances(self):
        how = Mapping(currency="EUR", columns=Columns(date="D", amount="A", balance="B"))

        statement = read("D,A,B\n2026-01-01,-2,8\n2026-01-01,10,10\n", how)

        assert signed(statement) == [10, -2]
        assert statement.closing is not None
        assert statement.closing.amount == 8

    def test_states_no_balance_where_they_do_not_follow_from_each_other(self):
        how = Mapping(currency="EUR", columns=Columns(date="D", amount="A", balance="B"))

        statement = read("D,A,B\n2026-01-01,10,10\n2026-01-02,-2,9\n", how)

        assert statement.closing is None
        assert statement.left_out["balances that do not follow from each other"] == 2


class TestRefuse:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("Id,Date,Amount,Memo\n1,2026-02-30,5,x\n", "bank.csv:2: '2026-02-30' is no day of the form %Y-%m-%d"),
            ('Id,Date,Amount,Memo\n1,2026-01-01,"1,5",x\n', "bank.csv:2: '1,5' is no amount with '.' before"),
            ("Id,Date,Amount,Memo\n\n1,2026-01-01,12.5.0,x\n", "bank.csv:3: '12.5.0' is no amount"),
            ("Id,Date,Amount,Memo\n1,2026-01-01\n", "bank.csv:2: has 2 columns, so there is none for 'Amount'"),
            ("Id,Date,Sum,Memo\n", "bank.csv:1: has no columns 'Amount'; its headings are Id, Date, Sum, Memo"),
            ("Id,Date,Amount,Amount,Memo\n", "bank.csv:1: has 2 columns 'Amount'"),
            ('Id,Date,Amount,Memo\n1,2026-01-01,5,"x\n', "bank.csv:2: is no CSV: unexpected end of data"),
            ("", "bank.csv: has no line with headings"),
            ("Id,Date,Amount,Memo\n1,2026-01-01,5,\0\n", "bank.csv:2: is no text"),
            (b"Id,Date,Amount,Memo\n1,2026-01-01,5,caf\xe9\n", "bank.csv:2: is no utf-8-sig text; say which encoding"),
        ],
    )
    def test_names_the_line_and_what_is_wrong(self, text: str | bytes, message: str):
        with pytest.raises(StatementError) as caught:
            read(text)

        assert str(caught.value).startswith(message)

    def test_names_every_line_at_fault(self):
        with pytest.raises(StatementError) as caught:
            read("Id,Date,Amount,Memo\n" + "1,never,5,x\n" * 30)

        assert len(str(caught.value).splitlines()) == 21
        assert str(caught.value).endswith("bank.csv: and 10 more lines")

    def test_does_not_guess_the_sign_of_what_went_out(self):
        with pytest.raises(StatementError, match=r"bank\.csv:3: '-1\.00' went out, with another sign"):
            read("Date,Debit,Credit\n2026-01-01,5.00,\n2026-01-02,-1.00,\n", TWO)

    def test_refuses_a_line_without_a_currency(self):
        with pytest.raises(StatementError, match="names no currency"):
            read("D,A\n2026-01-01,5\n", Mapping(columns=Columns(date="D", amount="A")))


class TestMapping:
    def test_reports_all_that_has_no_sense(self, tmp_path: Path):
        path = tmp_path / "mapping.toml"
        path.write_text(
            'encoding = "klingon"\ndelimiter = ";;"\nskip = -1\ncolour = 1\ndecimal = ","\nthousands = ","\n'
            "[columns]\namount = 0\ndebit = 1\nfoo = 2\n",
            encoding="utf-8",
        )

        with pytest.raises(StatementError) as caught:
            mapping.read(path)

        parts = [
            "encoding",
            "delimiter",
            "skip",
            "colour is no part",
            "decimal and thousands",
            "columns.foo is no part",
        ]
        parts += ["columns.date is missing", "columns.amount is 0", "either amount, or debit and credit"]
        assert [part for part in parts if part not in str(caught.value)] == []
        assert len(caught.value.problems) == len(parts)

    @pytest.mark.parametrize(("text", "message"), [("a = [", "is no TOML"), ("a = 1", r"there is no \[columns\]")])
    def test_refuses_what_is_none(self, tmp_path: Path, text: str, message: str):
        path = tmp_path / "mapping.toml"
        path.write_text(text, encoding="utf-8")

        with pytest.raises(StatementError, match=message):
            mapping.read(path)

    def test_says_that_there_is_no_such_file(self, tmp_path: Path):
        with pytest.raises(StatementError, match="cannot be read: No such file"):
            mapping.read(tmp_path / "none.toml")
