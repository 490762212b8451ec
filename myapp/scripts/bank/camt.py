"""Read camt.053 (BankToCustomerStatement of ISO 20022), and camt.052, which some banks give in its place.

Names are read without their namespace, so every version from 001.02 on is read alike: what differs between them is in
elements that a ledger has no use for, in `Sts`, which became `Sts/Cd`, and in the parties, which got a `Pty` around.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from myapp.ledger import bank
from myapp.ledger.model import Side
from myapp.scripts.bank import amounts, markup
from myapp.scripts.bank.markup import Element
from myapp.scripts.bank.statements import Balance, Entry, Malformed, Problem, Statement, StatementError

NAMESPACE = re.compile(r"urn:(?:iso:std:iso:20022:tech:xsd|swift:xsd:\$?)[:]?camt\.05[23]\.\d{3}\.\d{2}")
MESSAGES = {"BkToCstmrStmt": "Stmt", "BkToCstmrAcctRpt": "Rpt"}
BOOKED = "BOOK"
OPENING = ("OPBD", "PRCD")
CLOSING = ("CLBD",)
NOT_PROVIDED = "NOTPROVIDED"
DATE_FORMAT = "%Y-%m-%d"
DATE_LENGTH = 10


def read(content: bytes, *, file: str) -> Sequence[Statement]:
    """Read the statements of a file, of whatever accounts.

    Raises:
        StatementError: it is no such message, or entries of it are not what they should be; their lines are named.
    """
    root = markup.read(content, file=file)
    containers = [(child, MESSAGES[child.name]) for child in root.children if child.name in MESSAGES]
    if root.name != "Document" or not NAMESPACE.fullmatch(root.namespace) or not containers:
        text = f"is no camt.053 message: its root is {root.name} of {root.namespace or 'no namespace'}"
        raise StatementError(file, [Problem(line=root.line, text=text)])
    problems: list[Problem] = []
    found = [each for container, name in containers for each in container.all(name)]
    statements = [_statement(each, place, problems) for place, each in enumerate(found)]
    if problems:
        raise StatementError(file, problems)
    return statements


def _statement(of: Element, place: int, problems: list[Problem]) -> Statement:
    left_out: Counter[str] = Counter()
    entries: list[Entry] = []
    for each in of.all("Ntry"):
        try:
            status = each.get("Sts/Cd") or each.get("Sts")
            if status != BOOKED:
                left_out[f"not booked ({status or 'no status'})"] += 1
                continue
            entries += _entries(each, place, left_out)
        except Malformed as exc:
            problems.append(Problem(line=each.line, text=str(exc)))
    try:
        opening, closing = _balance(of, OPENING), _balance(of, CLOSING)
    except Malformed as exc:
        problems.append(Problem(line=of.line, text=str(exc)))
        opening = closing = None
    number = of.get("Acct/Id/IBAN") or of.get("Acct/Id/Othr/Id") or None
    entries.sort(key=lambda entry: entry.line.booked_on)
    return Statement(number=number, entries=entries, opening=opening, closing=closing, left_out=left_out)


def _entries(entry: Element, place: int, left_out: Counter[str]) -> Iterator[Entry]:
    """Yield the lines of an entry: one, or those of a batch if they are the whole of it."""
    amount, currency = _amount(entry)
    if not amount:
        left_out["lines of zero"] += 1
        return
    side = _side(entry)
    booked_on = _day(entry.first("BookgDt") or entry.first("ValDt"))
    details = entry.all("NtryDtls/TxDtls")
    parts = _parts(details, amount, currency, side)
    for nth, (detail, part) in enumerate(parts, start=1):
        facts = _details(entry, detail, is_part=len(parts) > 1)
        bank_id = _bank_id(entry, detail if len(parts) > 1 else None, nth=nth, count=len(parts))
        if bank_id:
            facts["id"] = bank_id
        line = bank.NewLine(
            booked_on=booked_on,
            side=side,
            amount=part,
            currency=currency,
            details=facts,
            bank_id=bank_id,
            statement=place,
        )
        yield Entry(place=(detail or entry).line, line=line)


def _parts(
    details: Sequence[Element], amount: Decimal, currency: str, side: Side
) -> Sequence[tuple[Element | None, Decimal]]:
    """Return the transactions of an entry with their amounts, or the entry as a whole where they are not all of it."""
    if len(details) < 2:
        return [(details[0] if details else None, amount)]
    parts = [(detail, _part(detail, currency, side)) for detail in details]
    whole = [(detail, part) for detail, part in parts if part]
    if len(whole) == len(parts) and sum(part for _, part in whole) == amount:
        return [(detail, part) for detail, part in whole]
    return [(None, amount)]


def _part(detail: Element, currency: str, side: Side) -> Decimal | None:
    """Return the amount of a transaction in the entry's currency and direction."""
    if detail.first("CdtDbtInd") is not None and _side(detail) is not side:
        return None
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        element = detail.first(path)
        if element is not None and element.attributes.get("Ccy") == currency:
            return amounts.amount(element.text)
    return None


def _amount(of: Element) -> tuple[Decimal, str]:
    element = of.first("Amt")
    if element is None:
        raise Malformed("has no amount")
    currency = element.attributes.get("Ccy", "")
    amount = amounts.amount(element.text)
    if not currency or amount < 0:
        raise Malformed(f"has the amount {element.text.strip()} {currency}, without a currency or below zero")
    return amount, currency


def _side(of: Element) -> Side:
    """Return the side in our books. `RvslInd` changes nothing of it: a reversed credit is written as a debit."""
    indicator = of.get("CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        raise Malformed(f"has the direction {indicator or 'none'!r}, which is neither CRDT nor DBIT")
    return Side.DEBIT if indicator == "CRDT" else Side.CREDIT


def _day(of: Element | None) -> date:
    """Return the day as the bank writes it, in whatever zone that is: it is the day on the bank's paper."""
    text = "" if of is None else of.get("Dt") or of.get("DtTm")
    return amounts.day(text[:DATE_LENGTH], DATE_FORMAT)


def _balance(of: Element, codes: Sequence[str]) -> Balance | None:
    for code in codes:
        for each in of.all("Bal"):
            if each.get("Tp/CdOrPrtry/Cd") == code:
                amount, currency = _amount(each)
                signed = amount if _side(each) is Side.DEBIT else -amount
                return Balance(day=_day(each.first("Dt")), amount=signed, currency=currency)
    return None


def _bank_id(entry: Element, detail: Element | None, *, nth: int, count: int) -> str | None:
    """Return the bank's own id of a line; that of an entry serves its parts, by their number."""
    own = detail.get("Refs/AcctSvcrRef") if detail is not None else ""
    whole = entry.get("AcctSvcrRef") or (entry.get("NtryDtls/TxDtls/Refs/AcctSvcrRef") if count == 1 else "")
    if own and own != whole:
        return own
    if not whole:
        return None
    return whole if count == 1 else f"{whole}/{nth}"


def _details(entry: Element, detail: Element | None, *, is_part: bool) -> dict[str, str]:
    of = detail or entry
    is_out = entry.get("CdtDbtInd") == "DBIT"
    party, account = ("Cdtr", "CdtrAcct") if is_out else ("Dbtr", "DbtrAcct")
    code = entry.first("BkTxCd")
    found: Mapping[str, str] = {
        "text": " ".join(of.texts("RmtInf/Ustrd")) or of.get("AddtlTxInf") or entry.get("AddtlNtryInf"),
        "counterparty": of.get(f"RltdPties/{party}/Nm") or of.get(f"RltdPties/{party}/Pty/Nm"),
        "counterparty_account": of.get(f"RltdPties/{account}/Id/IBAN") or of.get(f"RltdPties/{account}/Id/Othr/Id"),
        "reference": of.get("RmtInf/Strd/CdtrRefInf/Ref"),
        "end_to_end_id": of.get("Refs/EndToEndId"),
        "mandate": of.get("Refs/MndtId"),
        "value_date": entry.get("ValDt/Dt") or entry.get("ValDt/DtTm")[:DATE_LENGTH],
        "code": "" if code is None else _code(code),
        "reversal": "yes" if entry.get("RvslInd") in ("true", "1") else "",
        "batch": entry.get("NtryRef") or entry.get("AcctSvcrRef") if is_part else "",
    }
    return {name: value for name, value in found.items() if value and value != NOT_PROVIDED}


def _code(of: Element) -> str:
    parts = (of.get("Domn/Cd"), of.get("Domn/Fmly/Cd"), of.get("Domn/Fmly/SubFmlyCd"))
    return "/".join(part for part in parts if part) or of.get("Prtry/Cd")
