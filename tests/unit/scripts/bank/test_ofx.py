from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from myapp.ledger.model import Side
from myapp.scripts.bank import ofx
from myapp.scripts.bank.statements import StatementError

DATA = Path(__file__).parent / "data"
ONE = (DATA / "one.ofx").read_bytes()
TWO = (DATA / "two.ofx").read_bytes()


class TestOfx1:
    def test_is_read_in_its_own_encoding_and_by_the_banks_days(self):
        (statement,) = ofx.read(ONE, file="one.ofx")

        rent, paid = statement.entries
        assert (rent.line.booked_on, rent.line.side, rent.line.amount) == (
            date(2026, 1, 4),
            Side.CREDIT,
            Decimal("100.5"),
        )
        # It is February already in UTC.
        assert (paid.line.booked_on, paid.line.side, paid.line.amount) == (date(2026, 1, 31), Side.DEBIT, Decimal(200))
        assert paid.line.currency == "USD"
        assert paid.line.details == {
            "text": "Invoice INV-1001",
            "counterparty": "Müller & Sons",
            "code": "CREDIT",
            "id": "0001",
        }
        assert rent.line.details["check"] == "1025"
        assert [ONE.splitlines()[each.place - 1] for each in statement.entries] == [b"<STMTTRN>"] * 2
        assert (statement.number, statement.left_out) == ("999988", {"lines of zero": 1})

    def test_keeps_the_id_that_a_careless_bank_gave_twice(self):
        (statement,) = ofx.read(ONE, file="one.ofx")

        assert [each.line.bank_id for each in statement.entries] == ["0001", "0001"]

    def test_states_the_balance(self):
        (statement,) = ofx.read(ONE, file="one.ofx")

        assert statement.closing is not None
        assert (statement.closing.day, statement.closing.amount) == (date(2026, 1, 31), Decimal("1099.50"))


class TestOfx2:
    def test_has_a_statement_for_each_account(self):
        savings, card = ofx.read(TWO, file="two.ofx")

        assert (savings.number, savings.entries, savings.closing) == ("77", [], None)
        (bread,) = card.entries
        assert (card.number, bread.line.amount, bread.line.side) == ("4111", Decimal("12.34"), Side.CREDIT)
        assert (bread.line.details["counterparty"], bread.line.details["text"]) == ("Café", "Bread & butter")
        assert card.closing is not None
        assert card.closing.amount == Decimal("-12.34")


IN_SMALL = ONE.replace(b"<STMTTRN>", b"<stmttrn>", 1).replace(b"</STMTTRN>", b"</stmttrn>", 1)
BOMB = b'<!DOCTYPE OFX [<!ENTITY a "b">]>'


class TestRefuse:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (ONE[: len(ONE) // 2], "one.ofx: does not end with </OFX>; it is not whole"),
            (ONE.replace(b"-100,5", b"a lot"), "one.ofx:34: 'a lot' is no amount"),
            (ONE.replace(b"20260104", b"20261304"), "one.ofx:34: '20261304' is no day"),
            (ONE.replace(b"<CURDEF>USD", b""), "one.ofx:26: names no currency\none.ofx:34: names no currency"),
            (ONE.replace(b"20260131<", b"never<"), "one.ofx: its balance 'never' is no day"),
            (IN_SMALL, "one.ofx: has 3 lines, of which 2 can be read"),
            (ONE.replace(b"OFXHEADER:100", b"OFXHEADER:900"), "one.ofx: is no OFX"),
            (b"OFXHEADER:100\n</OFX>", "one.ofx: is no OFX"),
            (b"<OFX></OFX>", "one.ofx: is no OFX"),
            (TWO.replace(b"<OFX>", BOMB + b"<OFX>"), "one.ofx: has a document type or an entity of its own"),
            (ONE.replace(b"STMTRS>", b"INVSTMTRS>"), "one.ofx: has no statement of a bank account or a card"),
        ],
    )  # fmt: skip
    def test_says_what_is_wrong(self, content: bytes, message: str):
        with pytest.raises(StatementError) as caught:
            ofx.read(content, file="one.ofx")

        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize("cut", range(0, len(ONE), 97))
    def test_never_fails_otherwise(self, cut: int):
        """Whatever is missing in the middle, it is read or refused."""
        with contextlib.suppress(StatementError):
            ofx.read(ONE[:cut] + ONE[cut + 60 :], file="one.ofx")
