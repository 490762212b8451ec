"""Turn bank lines into what the API answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from myapp.api.bank import schemas
from myapp.ledger import bank, model, money

Exponents = Mapping[str, int]


def line(of: bank.Line, exponents: Exponents) -> schemas.BankLine:
    amount = money.to_text(of.amount_minor, exponents[of.currency])
    return schemas.BankLine(
        id=of.id,
        account=of.account,
        against=of.against,
        booked_on=of.booked_on,
        currency=of.currency,
        debit=amount if of.side is model.Side.DEBIT else UNSET,
        credit=amount if of.side is model.Side.CREDIT else UNSET,
        state=of.state,
        details=dict(sorted(of.details.items())),
        transaction=of.transaction_id,
        match=None if of.match is None else _match(of.match),
        proposals=[_proposal(each) for each in of.proposals],
    )


def run(of: bank.Run) -> schemas.Run:
    return schemas.Run(matched=of.matched, proposed=of.proposed, open=of.open, reopened=of.reopened)


def report(account: str, totals: Sequence[bank.Total], exponents: Exponents) -> schemas.Report:
    return schemas.Report(account=account, totals=[_total(each, exponents[each.currency]) for each in totals])


def _match(of: bank.Match) -> schemas.Match:
    return schemas.Match(transaction=of.transaction_id, line=of.posting_line, how=of.how, matched_at=of.matched_at)


def _proposal(of: bank.Proposal) -> schemas.Proposal:
    return schemas.Proposal(
        transaction=of.transaction_id,
        line=of.posting_line,
        score=of.score,
        reasons=list(of.reasons),
        reference=of.reference,
        description=of.description,
        effective_at=of.effective_at,
    )


def _total(of: bank.Total, exponent: int) -> schemas.Total:
    return schemas.Total(
        state=of.state,
        currency=of.currency,
        lines=of.lines,
        debits=money.to_text(of.in_minor, exponent),
        credits=money.to_text(of.out_minor, exponent),
    )
