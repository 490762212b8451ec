"""The sides on SQLite: the application as it is developed with, but with keys; and the same rows by sqlite3 alone."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.benchmarks import payloads, sides
from tests.benchmarks.cluster import SQLITE
from tests.benchmarks.ledgers import PROGRAMS, ROOT, Ours
from tests.benchmarks.load.order import Outcome
from tests.benchmarks.load.rows import RowsOrder
from tests.benchmarks.peers import books
from tests.benchmarks.running import SECONDS_MAX, Load, Running, Server
from tests.benchmarks.sides import Setting, Side

OPEN, KEYS = "myapp.auth = open", "myapp.auth = keys"


@dataclass
class Rows:
    """The loop around sqlite3; its own CPU is told as the generator's."""

    url: str

    def give(self, load: Load) -> Outcome:
        order = RowsOrder(
            file=self.url.removeprefix(SQLITE),
            ledger=books.LEDGER,
            currency=books.CURRENCY,
            paths=books.paths(),
            transactions=load.calls[0].transactions,
            connections=load.connections,
            seconds=load.seconds,
            requests_max=load.requests_max,
        )
        command = [sys.executable, "-m", "tests.benchmarks.load.rows"]
        done = subprocess.run(
            command, cwd=ROOT, input=order.to_json(), stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS_MAX
        )
        return Outcome.from_json(done.stdout)

    def cpu_seconds(self) -> float:
        """Return none: there is no application."""
        return 0.0

    def stop(self) -> None:
        """Do nothing: no process outlives its run."""


@dataclass
class BesideAWriter:
    """A server that is given each load while one more client records, as fast as it can."""

    server: Running

    def give(self, load: Load) -> Outcome:
        writes = Load(calls=payloads.transfers(), key=f"{load.key}-writer", seconds=load.seconds, connections=1)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(self.server.give, writes)
            outcome = self.server.give(load)
            written = writing.result()
        refused = {f"writer {status}": count for status, count in written.statuses.items() if status[0] != "2"}
        return dataclasses.replace(
            outcome,
            statuses={**outcome.statuses, **refused},
            first_refusal=outcome.first_refusal or written.first_refusal,
            beside=written.accepted,
        )

    def cpu_seconds(self) -> float:
        return self.server.cpu_seconds()

    def stop(self) -> None:
        self.server.stop()


def _ours(setting: Setting) -> Server:
    ini = setting.directory / "sqlite.ini"
    text = (ROOT / "development.ini").read_text(encoding="utf-8")
    assert OPEN in text
    ini.write_text(text.replace(OPEN, KEYS), encoding="utf-8")
    return sides.served_by(setting, lambda port: [str(PROGRAMS / "pserve"), str(ini), f"http_port={port}"])


APPLICATION = Side(name="myapp", title="this application, on SQLite", ledger=Ours(), start=_ours)
BESIDE_A_WRITER = Side(
    name="myapp-beside",
    title="this application, on SQLite, beside a writer",
    ledger=Ours(),
    start=lambda setting: BesideAWriter(_ours(setting)),
)
RAW = Side(
    name="sqlite3",
    title="the same rows by sqlite3 alone",
    # Its words are no words.
    ledger=Ours(unchecked=frozenset({"terms-agree"})),
    start=lambda setting: Rows(setting.url),
    takes_rates=False,
)
