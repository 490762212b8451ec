from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from myapp.ledger.model import Side
from myapp.scripts.bank import camt
from myapp.scripts.bank.statements import StatementError

DATA = Path(__file__).parent / "data"
OLD = (DATA / "camt-02.xml").read_bytes()
NEW = (DATA / "camt-08.xml").read_bytes()
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{ENTITIES}]><Document>&e9;</Document>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>'
PARAMETER = '<!DOCTYPE d [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><Document/>'


def read(content: bytes):
    return camt.read(content, file="bank.xml")


class TestRead:
    def test_reads_what_is_booked_with_all_that_the_bank_says(self):
        (statement,) = read(OLD)

        paid, returned = statement.entries
        assert (statement.number, statement.left_out) == ("DE02120300000000202051", {"not booked (PDNG)": 1})
        assert (paid.line.booked_on, paid.line.side, paid.line.amount) == (date(2026, 1, 5), Side.DEBIT, Decimal(100))
        assert (paid.line.currency, paid.line.bank_id) == ("EUR", "B-1")
        assert paid.line.details == {
            "id": "B-1",
            "text": "Rechnung INV-1001 danke",
            "counterparty": "Kunde & Söhne",
            "counterparty_account": "DE75512108001245126199",
            "end_to_end_id": "INV-1001",
            "value_date": "2026-01-06",
            "code": "PMNT/RCDT/ESCT",
        }
        assert b"<TxDtls>" in OLD.splitlines()[paid.place - 1]
        assert returned.line.details == {"id": "B-2", "text": "Rückgabe", "reversal": "yes"}

    def test_a_reversal_goes_where_its_indicator_says_and_on_the_banks_day(self):
        (statement,) = read(OLD)

        returned = statement.entries[1].line
        assert (returned.side, returned.booked_on) == (Side.CREDIT, date(2026, 1, 7))

    def test_states_balances_with_their_sign(self):
        (statement,) = read(OLD)

        assert statement.opening is not None
        assert statement.closing is not None
        assert (statement.opening.amount, statement.closing.amount) == (Decimal(1000), Decimal("-50.01"))
        assert statement.closing.day == date(2026, 1, 31)

    def test_parts_a_batch_whose_parts_are_the_whole_of_it(self):
        first, _second = read(NEW)

        one, other, _foreign = (each.line for each in first.entries)
        assert (one.amount, other.amount) == (Decimal("329.56"), Decimal(100))
        assert (one.bank_id, other.bank_id) == ("B-9/1", "B-9-2")
        assert (one.details["counterparty"], one.details["reference"]) == ("Anna", "RF18539007547034")
        assert one.details["batch"] == "1"

    def test_leaves_a_batch_whole_whose_parts_are_in_another_currency(self):
        first, _second = read(NEW)

        foreign = first.entries[2].line
        assert (foreign.amount, foreign.side, foreign.bank_id) == (Decimal(30), Side.CREDIT, None)

    def test_leaves_a_batch_whole_whose_parts_are_not_all_of_it(self):
        first, _second = read(NEW.replace(b">329.56<", b">329.55<"))

        assert [each.line.amount for each in first.entries] == [Decimal("429.56"), Decimal(30)]

    def test_tells_statements_apart(self):
        first, second = read(NEW)

        assert (first.number, second.number) == ("77-1", "77-2")
        assert second.opening is not None

    @pytest.mark.parametrize("version", ["053.001.04", "053.001.06", "053.001.13", "052.001.08"])
    def test_reads_every_version(self, version: str):
        assert len(read(NEW.replace(b"053.001.08", version.encode()))[0].entries) == 3

    def test_reads_reports_of_the_day(self):
        report = OLD.replace(b"camt.053", b"camt.052").replace(b"BkToCstmrStmt", b"BkToCstmrAcctRpt")

        (statement,) = read(report.replace(b"<Stmt>", b"<Rpt>").replace(b"</Stmt>", b"</Rpt>"))
        assert len(statement.entries) == 2


class TestRefuse:
    @pytest.mark.parametrize("content", [LAUGHS, OUTSIDE, PARAMETER], ids=["a bomb", "a file", "an address"])
    def test_a_document_type_of_any_kind(self, content: str):
        with pytest.raises(StatementError, match=r"bank.xml:1: has a document type"):
            read(content.encode())

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (OLD[:1500], "bank.xml:26: is no XML: unclosed token"),
            (OLD.replace(b"</Ntry>", b"</Entry>", 1), "bank.xml:22: is no XML: mismatched tag"),
            (b"<html></html>", "bank.xml:1: is no camt.053 message: its root is html of no namespace"),
            (OLD.replace(b"camt.053", b"pain.001"), "bank.xml:2: is no camt.053 message"),
            (OLD.replace(b">CRDT</CdtDbtInd><Sts>", b">UP</CdtDbtInd><Sts>"), "bank.xml:12: has the direction 'UP'"),
            (OLD.replace(b"<Dt>2026-01-05</Dt>", b""), "bank.xml:12: '' is no day"),
            (OLD.replace(b'<Amt Ccy="EUR">100.00', b"<Amt>100.00", 1), "bank.xml:12: has the amount 100.00 , without"),
            (OLD.replace(b">1000.00<", b">much<"), "bank.xml:5: 'much' is no amount"),
            (OLD.replace(b'encoding="UTF-8"', b'encoding="klingon"'), "bank.xml:1: is in an encoding that"),
            (b"<a>" * 100 + b"</a>" * 100, "bank.xml:1: is nested deeper than 64 elements"),
            (b"\xff\xfe\x00", "bank.xml:1: is no XML"),
        ],
    )  # fmt: skip
    def test_says_where_and_what_is_wrong(self, content: bytes, message: str):
        with pytest.raises(StatementError) as caught:
            read(content)

        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize("cut", range(0, len(OLD), 131))
    def test_never_fails_otherwise(self, cut: int):
        """Whatever is missing in the middle, it is read or refused."""
        with contextlib.suppress(StatementError):
            read(OLD[:cut] + OLD[cut + 40 :])
