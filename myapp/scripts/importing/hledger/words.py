"""What a journal of hledger's says besides amounts.

Keys of our own, as an export takes them back:

    hledger.status          `!`, where a transaction is pending
    hledger.code            its code
    hledger.date2           its secondary date
    hledger.comment         what its comment says besides tags
    hledger.line.N          line N's status and cost: `! @ 1.50 EUR`
    hledger.line.N.date     its own date; also `date2`
    hledger.line.N.comment  as for the transaction
    hledger.line.N.TAG      a tag of its own
    TAG                     a tag of the transaction
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from myapp.api.exchange import hledger as exported
from myapp.api.exchange import notes
from myapp.scripts.importing import own
from myapp.scripts.importing.fitting import Fitted, fit
from myapp.scripts.importing.hledger import printed, tags
from myapp.scripts.importing.hledger.amounts import Written

MARKS = {"Unmarked": "", "Pending": "!", "Cleared": "*"}


def of_transaction(
    transaction: printed.Transaction, of_lines: Sequence[tuple[int, Written]], noted: own.Noted
) -> Fitted:
    """Return the words of a transaction; `of_lines` are its amounts by their line in the ledger."""
    rest = [(key, str(value)) for key, value in noted.rest.items()]
    pairs = [*_own(transaction, noted), *noted.metadata().items(), *rest, *_of_lines(of_lines)]
    fitted = fit(transaction.tdescription, pairs)
    return replace(fitted, description=noted.description(fitted.description))


def _own(transaction: printed.Transaction, noted: own.Noted) -> Iterator[tuple[str, str]]:
    if MARKS[transaction.tstatus] == exported.OTHER_FLAG:
        yield exported.STATUS, exported.OTHER_FLAG
    if transaction.tcode and noted.reference is None:
        yield exported.CODE, transaction.tcode
    if transaction.tdate2 is not None:
        yield "hledger.date2", transaction.tdate2.isoformat()
    if said := tags.words(transaction.tcomment):
        yield "hledger.comment", said


def _of_lines(of_lines: Sequence[tuple[int, Written]]) -> Iterator[tuple[str, str]]:
    for number, each in of_lines:
        key, posting = f"hledger.line.{number}", each.posting
        if said := " ".join(filter(None, (MARKS[posting.pstatus], _cost(each.amount)))):
            yield key, said
        dates = {"date": posting.pdate, "date2": posting.pdate2}
        for name, day in dates.items():
            if day is not None:
                yield f"{key}.{name}", day.isoformat()
        if said := tags.words(posting.pcomment):
            yield f"{key}.comment", said
        for name, value in tags.noted(tags.of_posting(posting)).items():
            if name not in (*dates, notes.AMOUNT):
                yield f"{key}.{name}", value


def _cost(amount: printed.Amount) -> str:
    if amount.cost is None:
        return ""
    of = amount.cost.contents
    return f"{'@@' if amount.cost.is_total else '@'} {of.aquantity.number.copy_abs():f} {of.acommodity}"
