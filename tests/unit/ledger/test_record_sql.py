from __future__ import annotations

import psycopg._queries

from myapp.ledger.recording import statement


class TestRecordSql:
    def test_is_short_enough_for_the_driver_to_remember_how_it_parsed_it(self) -> None:
        assert len(statement.RECORD.encode()) <= psycopg._queries.MAX_CACHED_STATEMENT_LENGTH
        assert len(statement.NAMES) <= psycopg._queries.MAX_CACHED_STATEMENT_PARAMS

    def test_keeps_every_parameter_and_no_comment(self) -> None:
        assert set(statement.PARAMETER.findall(statement.RECORD)) == set(statement.NAMES.values())
        assert "--" not in statement.RECORD
