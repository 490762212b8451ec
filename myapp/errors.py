"""The root of every error this application raises on purpose.

    MyappError
    ├── settings.SettingsError           the ini file or the environment is wrong; nothing started
    ├── db.errors.DatabaseError          the database refused or was not there
    │   ├── Conflict                     another unit of work was in the way; a repeat may succeed
    │   ├── Unavailable                  no connection could be had, or it broke before COMMIT
    │   ├── Overloaded                   more requests came than can be served
    │   ├── DeadlineExceeded             the request's time was over before COMMIT
    │   ├── ReadOnly                     the database takes no writes at present
    │   └── OutcomeUnknown               it broke during COMMIT; only a repeat with the same key can tell
    ├── ledger.errors.LedgerError        the ledger's own refusals, each with the code of the HTTP contract
    └── api.errors.ApiError              what only HTTP can get wrong

A programmer's mistake (a session used after its request, or from another thread) is a RuntimeError that
nobody catches; those are in db.errors too.
"""

from __future__ import annotations


class MyappError(Exception):
    """Something this application refuses, with a message for the person who asked."""

    code = "internal"
