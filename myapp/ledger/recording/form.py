"""Which form of recording a database takes. See docs/decisions/0002-recording-forms.md."""

from __future__ import annotations

import enum

import sqlalchemy as sa
from sqlalchemy.orm import Session


class Form(enum.StrEnum):
    STATEMENT = "statement"
    STEPS = "steps"


def detect(session: Session) -> Form:
    """Return the form that is faster here: one statement, but steps on SQLite and on distributed tables."""
    if session.get_bind().dialect.name == "sqlite":
        return Form.STEPS
    is_distributed = session.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"))
    return Form.STEPS if is_distributed else Form.STATEMENT
