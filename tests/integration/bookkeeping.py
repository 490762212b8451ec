"""The books of a shop with a bank account, read and written as its bookkeeper does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal

from myapp.db.scope import session_scope
from myapp.ledger import bank, model, operations, queries, verify
from myapp.ledger.recording import Form

NOW = datetime(2026, 2, 1, tzinfo=UTC)
BANK, CLEARING, SALES, RENT = "assets:bank", "assets:clearing", "income:sales", "expenses:rent"
TYPES = {"assets": model.AccountType.ASSET, "income": model.AccountType.INCOME, "expenses": model.AccountType.EXPENSE}


class Books:
    """The books of the shop, read as its bookkeeper does; each call is a unit of work."""

    def __init__(self, sessions, ledger: model.Ledger) -> None:
        self.sessions = sessions
        self.ledger = ledger

    def open(self, *paths: str) -> Books:
        with session_scope(self.sessions) as session:
            for path in paths:
                wanted = model.NewAccount(path=path, type=TYPES[path.partition(":")[0]])
                operations.open_account(session, self.ledger, wanted, now=NOW)
        return self

    def record(self, *wanted: model.NewTransaction) -> list[model.Transaction]:
        with session_scope(self.sessions) as session:
            return list(operations.record(session, self.ledger, wanted, now=NOW, form=Form.STEPS).transactions)

    def balance(self, path: str) -> int:
        with session_scope(self.sessions, readonly=True) as session:
            held = queries.get_account(session, self.ledger, path).balances
        return held["EUR"].balance(model.Side.DEBIT) if "EUR" in held else 0

    def transactions(self) -> list[model.Transaction]:
        with session_scope(self.sessions, readonly=True) as session:
            criteria = queries.TransactionFilter()
            found = queries.list_transactions(session, self.ledger, criteria=criteria, after=None, limit=1000, now=NOW)
        return sorted(found, key=lambda each: each.effective_at)

    def lines(self, account: str = BANK) -> list[bank.Line]:
        with session_scope(self.sessions, readonly=True) as session:
            return list(bank.list_lines(session, self.ledger, account, limit=1000))

    def states(self, account: str = BANK) -> Mapping[str, int]:
        with session_scope(self.sessions, readonly=True) as session:
            return {each.state.value: each.lines for each in bank.total_lines(session, self.ledger, account)}

    def hold(self) -> bool:
        with session_scope(self.sessions, readonly=True) as session:
            return all(check.holds for check in verify.verify(session, self.ledger))

    def pay(self, amount: str, day: str, *, into: str = CLEARING, out_of: str = SALES, **more) -> model.Transaction:
        """Record that money went from one account into another."""
        postings = [
            model.NewPosting(account=path, currency="EUR", side=side, amount=Decimal(amount))
            for path, side in ((into, model.Side.DEBIT), (out_of, model.Side.CREDIT))
        ]
        moment = datetime.combine(date.fromisoformat(day), time(12), tzinfo=UTC)
        return self.record(model.NewTransaction(postings=postings, effective_at=moment, **more))[0]

    def take_over(self, *lines: bank.NewLine, account: str = BANK, clearing: str | None = CLEARING) -> list[bank.Line]:
        """Import lines, and return all that the account has."""
        with session_scope(self.sessions) as session:
            bank.import_lines(session, self.ledger, account, clearing=clearing, lines=lines, now=NOW, form=Form.STEPS)
        return self.lines(account)

    def match(self, account: str = BANK, days: int = 5) -> bank.Run:
        with session_scope(self.sessions) as session:
            return bank.match(session, self.ledger, account, days=days, now=NOW)

    def accept(self, line: bank.Line, transaction: model.Transaction | None = None) -> bank.Line:
        with session_scope(self.sessions) as session:
            wanted = transaction and transaction.id
            return bank.accept(session, self.ledger, line.id, transaction_id=wanted, now=NOW)

    def record_missing(self, line: bank.Line, to: str) -> bank.Line:
        with session_scope(self.sessions) as session:
            return bank.record_missing(session, self.ledger, line.id, to=to, now=NOW, form=Form.STEPS)

    def reject(self, line: bank.Line, transaction: model.Transaction | None = None) -> bank.Line:
        with session_scope(self.sessions) as session:
            return bank.reject(session, self.ledger, line.id, transaction_id=transaction and transaction.id, now=NOW)


def came_in(amount: str, day: str, text: str = "", **details: str) -> bank.NewLine:
    return _line(model.Side.DEBIT, amount, day, text, details)


def went_out(amount: str, day: str, text: str = "", **details: str) -> bank.NewLine:
    return _line(model.Side.CREDIT, amount, day, text, details)


def _line(side: model.Side, amount: str, day: str, text: str, details: dict[str, str]) -> bank.NewLine:
    return bank.NewLine(
        booked_on=date.fromisoformat(day),
        side=side,
        amount=Decimal(amount),
        currency="EUR",
        details={"text": text, **details} if text else details,
    )
