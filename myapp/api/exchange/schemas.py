"""What an export is asked for."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from myapp.api import schemas
from myapp.api.fields import Instant


class Format(enum.StrEnum):
    BEANCOUNT = "beancount"
    HLEDGER = "hledger"
    CSV = "csv"
    NDJSON = "ndjson"


class ExportQuery(schemas.Input, kw_only=True, rename={"from_": "from"}):
    format: Annotated[
        Format,
        Meta(
            description="`ndjson` is complete and can be imported as the same ledger; `beancount` and `hledger` are "
            "journals for these programs; `csv` has a row for each posting."
        ),
    ] = Format.NDJSON
    from_: Annotated[Instant | None, Meta(description="The first effective time to export.")] = None
    to: Annotated[Instant | None, Meta(description="The effective time to stop before.")] = None
