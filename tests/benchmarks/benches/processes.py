"""As many processes as there are cores behind one port, against one process, and against the statement alone."""

from __future__ import annotations

from tests.benchmarks import payloads, sides
from tests.benchmarks.compare import Comparison
from tests.benchmarks.running import CONNECTIONS

BENCH = Comparison(
    name="processes",
    title="Record one transaction, with all cores",
    sides=[sides.IN_PROCESSES, sides.APPLICATION, sides.PGBENCH_FOR_CORES],
    calls=payloads.transfers,
    goals={sides.PGBENCH_FOR_CORES.name: 0.35},
    # Eight for each process.
    connections=CONNECTIONS * sides.CORES,
    unit="transaction",
)
