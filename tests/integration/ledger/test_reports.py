"""Reports of random ledgers: the same as adding up every posting by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import queries, reports
from myapp.ledger.model import AccountType, Ledger, NewTransaction, Side
from tests.integration.ledger import histories
from tests.integration.ledger.desk import NOW, Desk, transfer
from tests.integration.ledger.histories import Entry

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
# Paths that are accounts, groups or both, with accounts of other types below them.
CHART = {
    "shop": AccountType.ASSET,
    "shop:till": AccountType.ASSET,
    "shop:till:loan": AccountType.LIABILITY,
    "shop:sales": AccountType.INCOME,
    "shop:sales:refunds": AccountType.EXPENSE,
    "owner": AccountType.EQUITY,
    "owner:rent:due": AccountType.LIABILITY,
    "rent": AccountType.EXPENSE,
    "idle": AccountType.ASSET,
}


def posted(history: Sequence[Entry]) -> Mapping[str, dict[str, int]]:
    """Return debits less credits of what is posted, by path and currency."""
    nets: dict[str, dict[str, int]] = {f"assets:{number}": {} for number in range(histories.ACCOUNTS)}
    for entry in history:
        up, down, _, _ = entry.deltas
        of = nets[f"assets:{entry.account}"]
        of[entry.currency] = of.get(entry.currency, 0) + up - down
    return nets


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=histories.histories,
    at=histories.instants,
    since=st.none() | histories.instants,
    known_at=st.none() | histories.instants.filter(lambda known: known >= histories.FIRST),
)
def test_figures_count_what_is_posted_by_then_and_known_then(
    sessions: sessionmaker[Session],
    ledger: Ledger,
    history: Sequence[Entry],
    at: datetime,
    since: datetime | None,
    known_at: datetime | None,
) -> None:
    with scope.session_scope(sessions) as session, scope.discarded(session):
        histories.write(session, ledger, history)
        found = queries.figures_at(session, ledger, at=at, known_at=known_at)
        moved = queries.figures_between(
            session, ledger, effective_from=since, effective_to=at + TICK, known_at=known_at
        )
    known = [entry for entry in history if known_at is None or entry.recorded_at <= known_at]
    then = [entry for entry in known if entry.effective_at <= at]

    assert {figure.path: figure.nets for figure in found} == posted(then)
    in_period = [entry for entry in then if since is None or entry.effective_at >= since]
    assert {figure.path: figure.nets for figure in moved} == posted(in_period)


def some_transactions(source: random.Random) -> list[NewTransaction]:
    paths = [path for path in CHART if path != "idle"]
    return [
        transfer(
            str(source.randint(1, 50)),
            into=into,
            out_of=out_of,
            currency=source.choice(["EUR", "USD"]),
            effective_at=NOW + source.randint(-60, 60) * HOUR,
        )
        for into, out_of in (source.sample(paths, 2) for _ in range(60))
    ]


def by_hand(transactions: Sequence[NewTransaction], at: datetime) -> Mapping[str, dict[AccountType, int]]:
    """Return by currency what each type comes to, in its normal direction."""
    sums: dict[str, dict[AccountType, int]] = {}
    for transaction in transactions:
        assert transaction.effective_at is not None
        for posting in transaction.postings if transaction.effective_at <= at else ():
            of = CHART[posting.account]
            sign = 1 if posting.side is of.normal_side else -1
            sums.setdefault(posting.currency, dict.fromkeys(AccountType, 0))[of] += sign * int(posting.amount * 100)
    return sums


@pytest.mark.parametrize("seed", [1, 2])
def test_reports_of_a_random_ledger_are_those_made_by_hand(desk: Desk, seed: int) -> None:
    source = random.Random(seed)
    for path, of in CHART.items():
        desk.open(path, account_type=of)
    early, late = some_transactions(source), some_transactions(source)
    desk.record(*early, now=NOW + HOUR)
    desk.record(*late, now=NOW + 2 * HOUR)

    for hours in (-61, -10, 0, 13, 61):
        at = NOW + hours * HOUR
        for known_at, known in ((NOW + HOUR, early), (NOW + 2 * HOUR, [*early, *late]), (None, [*early, *late])):
            with desk.at_work(readonly=True) as session:
                figures = queries.figures_at(session, desk.ledger, at=at, known_at=known_at)
            sums = by_hand(known, at)
            sheet = reports.balance_sheet(figures, reports.Shape(zero=True), is_valued=False)
            statement = reports.income_statement(figures, reports.Shape())
            trial = reports.trial_balance(figures, reports.Shape(depth=1), is_valued=False)
            for code, of in sums.items():
                assert sheet.assets.total[code] == sheet.claims[code] == of[AccountType.ASSET]
                assert sheet.liabilities.total[code] == of[AccountType.LIABILITY]
                assert sheet.equity.total[code] == of[AccountType.EQUITY]
                earned = of[AccountType.INCOME] - of[AccountType.EXPENSE]
                assert sheet.earnings[code] == statement.net.get(code, 0) == earned
                assert trial.totals[code].debit == trial.totals[code].towards(Side.DEBIT) + trial.totals[code].credit
                assert trial.totals[code].debit == trial.totals[code].credit


def test_an_account_that_was_opened_later_is_not_known_yet(desk: Desk) -> None:
    desk.open("assets:till")

    with desk.at_work(readonly=True) as session:
        before = queries.figures_at(session, desk.ledger, at=NOW, known_at=NOW - TICK)
        after = queries.figures_at(session, desk.ledger, at=NOW, known_at=NOW)

    assert ([each.path for each in before], [each.path for each in after]) == ([], ["assets:till"])
