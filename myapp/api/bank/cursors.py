"""The cursor of a list of bank lines."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from myapp.api.cursors import Cursor


class BankLineCursor(Cursor, tag="bank_lines"):
    booked_on: date
    id: UUID
