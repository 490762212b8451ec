"""What is read of a real ledger, in the model's words: at a time, as known at a time, and what webhooks say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger import queries, reports
from myapp.ledger.model import Counters, Ledger, Price, StatementLine, Webhook
from myapp.ledger.reports import Node, Shape, Sides, Valued
from tests.reference.book import Hook, PriceRecord
from tests.reference.looking import Look

PAGE = 7
MICROSECOND = timedelta(microseconds=1)


def fours(balances: Mapping[str, Counters]) -> Mapping[str, Sequence[int]]:
    return {code: as_four(counters) for code, counters in balances.items() if counters != Counters()}


def as_four(counters: Counters) -> tuple[int, int, int, int]:
    return counters.debits_posted, counters.credits_posted, counters.debits_pending, counters.credits_pending


def balance(session: Session, ledger: Ledger, path: str, look: Look) -> object:
    found = queries.get_balance(session, ledger, path, with_children=look.children, at=look.at, known_at=look.known_at)
    return found.normal_side, fours(found.balances)


def balances(session: Session, ledger: Ledger, look: Look) -> object:
    accounts = queries.list_accounts(session, ledger, at=look.at, known_at=look.known_at, after=None, limit=1000)
    return {account.path: fours(account.balances) for account in accounts}


def statement(session: Session, ledger: Ledger, path: str, look: Look | None = None) -> Iterable[StatementLine]:
    """Read a whole statement page by page."""
    after: queries.PostingPosition | None = None
    known_at = None if look is None else look.known_at
    while page := queries.list_postings(session, ledger, path, known_at=known_at, after=after, limit=PAGE):
        yield from page
        if len(page) < PAGE:
            return
        after = queries.PostingPosition(page[-1].effective_at, page[-1].balance_version, page[-1].currency)


def prices(session: Session, ledger: Ledger, currency: str | None, look: Look | None) -> Sequence[PriceRecord]:
    """List prices, read page by page."""
    found: list[Price] = []
    after: queries.PricePosition | None = None
    known_at = None if look is None else look.known_at
    while page := queries.list_prices(session, ledger, currency=currency, known_at=known_at, after=after, limit=PAGE):
        found += page
        after = queries.PricePosition(page[-1].currency, page[-1].quote, page[-1].effective_at, page[-1].id)
    return [as_price(price) for price in found]


def as_price(price: Price) -> PriceRecord:
    return PriceRecord(price.currency, price.quote, price.price, price.effective_at, price.recorded_at)


def as_hook(found: Webhook, secrets: int) -> Hook:
    assert (found.failures, found.last_error) == (0, None)
    return Hook(found.url, found.types, found.description, found.state.value, found.position, secrets)


def webhooks(session: Session, ledger: Ledger, secrets: Mapping[UUID, Sequence[bytes]]) -> Sequence[Hook]:
    found = queries.list_webhooks(session, ledger, after=None, limit=1000)
    assert all(each.secret == secrets[each.id][-1] for each in found)
    return [as_hook(each, len(secrets[each.id])) for each in found]


def report(session: Session, ledger: Ledger, name: str, value: str | None, look: Look) -> object:
    if name == "income statement":
        until = look.until or look.now
        figures = queries.figures_between(
            session, ledger, effective_from=look.since, effective_to=until, known_at=look.known_at
        )
        figures = [figure for figure in figures if figure.type in reports.RESULT]
        at = until - MICROSECOND
    else:
        assert look.at is not None
        at = look.at
        figures = queries.figures_at(session, ledger, at=at, known_at=look.known_at)
    if value is not None:
        codes = {code for figure in figures for code in figure.nets} | {value}
        exponents = queries.exponents(session, ledger, codes)
        valued: Valued = queries.value_figures(
            session, ledger, figures, value, given={}, exponents=exponents, at=at, known_at=look.known_at
        )
        figures = valued.figures
    return _shown(name, figures, is_valued=value is not None)


def _shown(name: str, figures: Sequence[reports.Figure], *, is_valued: bool) -> object:
    if name == "income statement":
        made = reports.income_statement(figures, Shape())
        return _section(made.income), _section(made.expenses), made.net
    if name == "balance sheet":
        sheet = reports.balance_sheet(figures, Shape(), is_valued=is_valued)
        sections = [_section(each) for each in (sheet.assets, sheet.liabilities, sheet.equity)]
        return sections, sheet.earnings, sheet.rounding, sheet.equity_total, sheet.claims
    trial = reports.trial_balance(figures, Shape(), is_valued=is_valued)
    rounding = None if trial.rounding is None else _columns(trial.rounding)
    return _tree(trial.nodes), rounding, _columns(trial.totals)


def _section(of: reports.Section) -> object:
    return _tree(of.nodes), dict(of.total)


def _tree(nodes: Iterable[Node]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for node in nodes:
        found[node.path] = (_columns(node.own), _columns(node.total))
        found |= _tree(node.children)
    return found


def _columns(of: Mapping[str, Sides]) -> Mapping[str, tuple[int, int]]:
    return {code: (sides.debit, sides.credit) for code, sides in of.items()}
