"""The report of matched, proposed and open lines: as text, as CSV or as JSON."""

from __future__ import annotations

import csv
import enum
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from myapp.ledger import bank, model

STATES = (bank.State.MATCHED, bank.State.PROPOSED, bank.State.OPEN)
HEADINGS = (
    "state", "date", "amount", "currency", "words", "line", "transaction", "how", "score", "reasons", "others"
)  # fmt: skip
WORDS = ("counterparty", "text")
WORDS_LENGTH_MAX = 60
# A spreadsheet takes text that begins so for a formula, and what a bank passes on was written by anybody.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")


class Form(enum.StrEnum):
    """How the report is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The lines of an account with their totals; `exponents` are the digits of the currencies."""

    account: str
    totals: Sequence[bank.Total]
    lines: Sequence[bank.Line]
    exponents: Mapping[str, int]


def write(report: Report, form: Form) -> str:
    """Return the report, without the last line's end."""
    if form is Form.JSON:
        return json.dumps(_json(report), indent=2, ensure_ascii=False)
    if form is Form.CSV:
        return _csv(report).rstrip("\r\n")
    return "\n".join(_text(report))


def _money(report: Report, minor: int, currency: str) -> str:
    exponent = report.exponents[currency]
    return f"{Decimal(minor).scaleb(-exponent):.{exponent}f}"


def _amount(report: Report, line: bank.Line) -> str:
    """Return what the line added to the account."""
    signed = line.amount_minor if line.side is model.Side.DEBIT else -line.amount_minor
    return _money(report, signed, line.currency)


def _words(line: bank.Line) -> str:
    return ": ".join(" ".join(line.details[name].split()) for name in WORDS if line.details.get(name))


def _text(report: Report) -> Iterator[str]:
    yield report.account
    for each in report.totals:
        came_in, went_out = (_money(report, minor, each.currency) for minor in (each.in_minor, each.out_minor))
        count = "1 line" if each.lines == 1 else f"{each.lines:,} lines"
        yield f"  {each.state:9}{count:>12}  in {came_in:>14} {each.currency}  out {went_out:>14} {each.currency}"
    if not report.totals:
        yield "  no lines; `myapp bank import` takes over a statement"
    for state in STATES:
        some = [line for line in report.lines if line.state is state]
        if some:
            yield f"{state.capitalize()}:"
        for line in some:
            yield from _text_of_line(report, line)


def _text_of_line(report: Report, line: bank.Line) -> Iterator[str]:
    words = _words(line)[:WORDS_LENGTH_MAX]
    yield f"  {line.booked_on}  {_amount(report, line):>12} {line.currency}  {line.id}  {words}".rstrip()
    if line.match is not None:
        yield f"      {line.match.how:>8}  {line.match.transaction_id}"
    for each in line.proposals:
        name = each.reference or each.description or ""
        yield f"      {each.score:8}  {each.transaction_id}  {name[:WORDS_LENGTH_MAX]} ({', '.join(each.reasons)})"


def _csv(report: Report) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    for line in report.lines:
        best = line.proposals[0] if line.proposals else None
        transaction = line.match.transaction_id if line.match else best.transaction_id if best else ""
        writer.writerow(
            [
                line.state,
                line.booked_on,
                _amount(report, line),
                line.currency,
                _harmless(_words(line)),
                line.id,
                transaction,
                line.match.how if line.match else "",
                best.score if best else "",
                "; ".join(best.reasons) if best else "",
                max(0, len(line.proposals) - 1),
            ]
        )
    return out.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text


def _json(report: Report) -> object:
    return {
        "account": report.account,
        "totals": [
            {
                "state": each.state,
                "currency": each.currency,
                "lines": each.lines,
                "in": _money(report, each.in_minor, each.currency),
                "out": _money(report, each.out_minor, each.currency),
            }
            for each in report.totals
        ],
        "lines": [_json_of_line(report, line) for line in report.lines],
    }


def _json_of_line(report: Report, line: bank.Line) -> object:
    return {
        "id": str(line.id),
        "state": line.state,
        "date": line.booked_on.isoformat(),
        "amount": _amount(report, line),
        "currency": line.currency,
        "details": dict(sorted(line.details.items())),
        "match": line.match and {"transaction": str(line.match.transaction_id), "how": line.match.how},
        "proposals": [
            {
                "transaction": str(each.transaction_id),
                "score": each.score,
                "reasons": list(each.reasons),
                "reference": each.reference,
                "description": each.description,
                "date": each.effective_at.date().isoformat(),
            }
            for each in line.proposals
        ],
    }
