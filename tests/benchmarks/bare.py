"""The application's one statement alone, with the parameters that the application sends: what bounds it in batches.

They are found by letting the application plan a request up to the moment when it would send the statement.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import abc
from psycopg.adapt import PyFormat, Transformer

from myapp import settings
from myapp.api import schemas, wishes
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import operations, queries
from myapp.ledger.recording import Form, statement
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.load.statements import Parameters, StatementOrder
from tests.benchmarks.peers import books
from tests.benchmarks.peers.statement import Answer
from tests.benchmarks.running import ROOT, SECONDS_MAX, Load

# Where the statement tells how many transactions it recorded: a place in its answer, which is one JSON array.
RESULT = Answer._fields.index("transaction_count")


# How an array of ids begins.
IDS = re.compile(r"\{[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}[,}]")


class _Caught(RuntimeError):
    """The statement was about to be sent."""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        super().__init__("the statement is not to be sent")
        self.parameters = parameters


@dataclass
class Bare:
    """The statement in a loop around the driver; that loop's own CPU is told as the generator's."""

    url: str
    _calls: Sequence[Call] | None = None
    _parameters: Sequence[Parameters] = field(default_factory=list)

    def give(self, load: Load) -> Outcome:
        if load.calls is not self._calls:
            self._calls, self._parameters = load.calls, planned(self.url, load.calls)
        order = StatementOrder(
            url=self.url,
            text=statement.RECORD,
            result=RESULT,
            parameters=self._parameters,
            connections=min(load.connections, books.POOL_SIZE),
            seconds=load.seconds,
            requests_max=load.requests_max,
        )
        command = [sys.executable, "-m", "tests.benchmarks.load.statements"]
        done = subprocess.run(
            command, cwd=ROOT, input=order.to_json(), stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS_MAX
        )
        return Outcome.from_json(done.stdout)

    def cpu_seconds(self) -> float:
        """Return none: there is no application."""
        return 0.0

    def stop(self) -> None:
        """Do nothing: no process outlives its run."""


def planned(url: str, calls: Sequence[Call]) -> Sequence[Parameters]:
    """Return what the application would send for each batch, as text."""
    engine = engines.build(settings.Database(url=url))
    sa.event.listen(engine, "before_cursor_execute", _catch)
    sessions = factory.build(engine)
    try:
        with psycopg.connect(url) as connection:
            transformer = Transformer(connection)
            return [_as_text(_caught(sessions, call), transformer) for call in calls]
    finally:
        engine.dispose()


def _catch(_connection: object, _cursor: object, text: str, parameters: Mapping[str, object], *_rest: object) -> None:
    if text == statement.RECORD:
        raise _Caught(parameters)


def _caught(sessions: factory.Sessions, call: Call) -> Mapping[str, object]:
    assert call.body is not None
    wanted = msgspec.json.decode(call.body, type=schemas.NewBatch).transactions
    now = datetime.now(UTC)
    try:
        with scope.session_scope(sessions) as session:
            ledger = queries.get_ledger(session, books.LEDGER)
            made = [wishes.transaction(each) for each in wanted]
            operations.record(session, ledger, made, now=now, form=Form.STATEMENT)
    except _Caught as caught:
        return caught.parameters
    raise RuntimeError("The application recorded a batch without its statement.")


def _as_text(values: Mapping[str, object], transformer: abc.Transformer) -> Parameters:
    texts = {name: _text(value, transformer) for name, value in values.items()}
    new = _ids(texts[statement.NAMES["ids"]])
    places = {each: place for place, each in enumerate(new)}
    ids = {name: [places[each] for each in found] for name, text in texts.items() if (found := _ids(text))}
    return Parameters(texts={name: text for name, text in texts.items() if name not in ids}, ids=ids, count=len(new))


def _text(value: object, transformer: abc.Transformer) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return bytes(transformer.get_dumper(value, PyFormat.TEXT).dump(value) or b"").decode()


def _ids(text: str | None) -> Sequence[str]:
    """Return the ids of an array of them, and none of another parameter."""
    return [each.replace("-", "") for each in text[1:-1].split(",")] if text and IDS.match(text) else []
