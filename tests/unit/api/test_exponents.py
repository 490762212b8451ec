"""The memory of exponents: asked for once, bounded, and right between threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from myapp.api import exponents


class TestLearn:
    def test_keeps_what_is_known_and_forgets_the_oldest_ledger(self, monkeypatch) -> None:
        monkeypatch.setattr(exponents, "LEDGERS_MAX", 2)
        known = exponents.Exponents()
        first, second, third = uuid4(), uuid4(), uuid4()

        known.learn_declared(first, {"USD": 2})
        known.learn_declared(second, {"USD": 2})
        known.learn_declared(first, {"JPY": 0})
        known.learn_declared(third, {"USD": 2})

        assert known.declared(first) == {"USD": 2, "JPY": 0}
        assert known.declared(second) == {}

    def test_loses_nothing_between_threads(self) -> None:
        known, ledger = exponents.Exponents(), UUID(int=1)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: known.learn_declared(ledger, {f"C{number}": number}), range(500)))

        assert known.declared(ledger) == {f"C{number}": number for number in range(500)}
