"""Balances: they are the sums of their postings, step by step, and within their limits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.model import Ledger
from myapp.ledger.tables import accounts, balances, postings
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.moves import ADDED, COUNTERS, HALF, halves, total, wide

LEDGER = "ledger-balances"
SUMS = "counters-are-sums"
STEPS = "postings-follow-each-other"
LIMITS = "limits-hold"

KEY = ("ledger_id", "account_id", "currency")
SHOWN = {"debits_posted": "debits", "credits_posted": "credits"}


def ledger_balances(session: Session, ledger: Ledger) -> Check:
    """All postings together are zero in every currency, in what is posted and in what is pending."""
    sums = {f"{name}_{half}": part for name, of in ADDED.items() for half, part in halves(of).items()}
    query = sa.select(postings.c.currency, *(part.label(name) for name, part in sums.items()))
    query = query.where(postings.c.ledger_id == ledger.id).group_by(postings.c.currency)
    compared: dict[str, int] = {}
    violations = []
    for row in session.execute(query.order_by(postings.c.currency)):
        totals = {
            name: int(getattr(row, f"{name}_high")) * HALF + int(getattr(row, f"{name}_low")) for name in COUNTERS
        }
        compared |= {f"{row.currency} {word}": totals[name] for name, word in SHOWN.items()}
        if totals["debits_posted"] != totals["credits_posted"]:
            violations.append(
                f"{row.currency}: debits are {totals['debits_posted']}, credits {totals['credits_posted']}"
            )
        if totals["debits_pending"] != totals["credits_pending"]:
            violations.append(f"{row.currency}: pending debits and credits differ")
    return check.of(LEDGER, compared, violations)


def counters_are_sums(session: Session, ledger: Ledger) -> Check:
    """The counters of each balance are the sums of its postings, its version is their number."""
    key = [postings.c[name] for name in KEY]
    sums = sa.select(*key, *(total(ADDED[name]) for name in COUNTERS), sa.func.count())
    sums = sums.where(postings.c.ledger_id == ledger.id).group_by(*key)
    counters = [balances.c[name] for name in (*KEY, *COUNTERS, "version")]
    is_used = sa.or_(*(counter != 0 for counter in counters[len(KEY) :]))
    held = sa.select(*counters).where(balances.c.ledger_id == ledger.id, is_used)
    differing = check.differing(held, sums).subquery()
    names = (accounts.c.path, differing.c.account_id, differing.c.currency)
    query = sa.select(*names).select_from(check.with_account(differing)).distinct()
    found = check.first(session, query)
    return check.of(
        SUMS,
        {"balances": check.count(session, ledger, balances), "postings": check.count(session, ledger, postings)},
        [f"{check.account(row)} in {row.currency}: counters and postings differ" for row in found],
    )


def postings_follow_each_other(session: Session, ledger: Ledger) -> Check:
    """Each posting takes its balance from where the one before left it, and no version is missing."""
    window: dict[str, Any] = {
        "partition_by": (postings.c.account_id, postings.c.currency),
        "order_by": postings.c.balance_version,
    }

    def before(name: str) -> sa.ColumnElement[int]:
        return sa.func.lag(postings.c[name], 1, 0).over(**window)

    gaps = {name: postings.c[name] - before(name) - ADDED[name] for name in COUNTERS}
    gaps["version"] = postings.c.balance_version - before("balance_version") - 1
    steps = sa.select(
        *(postings.c[name] for name in (*KEY, "balance_version")), *(gap.label(name) for name, gap in gaps.items())
    )
    of = steps.where(postings.c.ledger_id == ledger.id).subquery()
    names = (accounts.c.path, of.c.account_id, of.c.currency, of.c.balance_version)
    query = sa.select(*names).select_from(check.with_account(of))
    found = check.first(session, query.where(sa.or_(*(of.c[name] != 0 for name in gaps))))
    return check.of(
        STEPS,
        {"postings": check.count(session, ledger, postings)},
        [
            f"{check.account(row)} in {row.currency}: posting {row.balance_version} does not follow from the one before"
            for row in found
        ],
    )


def is_outside_its_limits() -> sa.ColumnElement[bool]:
    """Whether a balance could be outside its limits, whatever becomes of what is pending."""
    net = balances.c.debits_posted - balances.c.credits_posted
    # Moved to the side where a sum beyond 64 bits still compares right.
    is_below = balances.c.credits_pending > wide(net) - balances.c.net_min
    is_above = balances.c.debits_pending > wide(balances.c.net_max) - net
    return sa.or_(is_below, is_above)


def limits_hold(session: Session, ledger: Ledger) -> Check:
    """No balance is outside its limits, whatever becomes of what is pending."""
    is_limited = sa.or_(balances.c.net_min.is_not(None), balances.c.net_max.is_not(None))
    names = (accounts.c.path, balances.c.account_id, balances.c.currency)
    query = sa.select(*names).select_from(check.with_account(balances))
    found = check.first(session, query.where(balances.c.ledger_id == ledger.id, is_outside_its_limits()))
    return check.of(
        LIMITS,
        {"balances with limits": check.count(session, ledger, balances, is_limited)},
        [f"{check.account(row)} in {row.currency} is outside its limits" for row in found],
    )
