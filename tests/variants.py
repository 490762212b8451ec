"""The functional suite once more, on an application that is set up otherwise: `pytest tests/functional --variant NAME`.

In a variant every request commits for real. `make test-variants` runs each; beside `make test` that would take longer
than anyone waits.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from sqlalchemy.engine import Engine

from tests.faulty import Faults

# More statements than any request needs, so that one that is repeated comes to its end.
FAULT_AT_EVERY = 101
# So few mean that the injector was not at work.
FAULTS_MIN = 100
# On each database.
FAULTS_AT_COMMIT_MIN = 3

FAULTS = pytest.StashKey[Faults]()
# In all under "all", and those at COMMIT by the name of the database.
INJECTED = pytest.StashKey[Counter[str]]()


# By name, the databases that the variant is about.
VARIANTS = {
    "serializable": ("postgresql",),
    "faults": ("sqlite", "postgresql"),
    "pgbouncer": ("postgresql",),
}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How the application differs from the one that is delivered; this one does not."""

    commits: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    url: Callable[[str], str] = str
    prepare: Callable[[Engine], object] = bool


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--variant", choices=list(VARIANTS), help="run the functional suite on another set-up")


@pytest.fixture(scope="session")
def variant(request: pytest.FixtureRequest) -> Variant:
    """Return how the functional suite is to be run."""
    match request.config.getoption("variant"):
        case "serializable":
            return Variant(commits=True, settings={"db.isolation": "SERIALIZABLE"})
        case "faults":
            faults = request.config.stash[FAULTS] = Faults(every=FAULT_AT_EVERY)
            return Variant(commits=True, prepare=faults.inject)
        case "pgbouncer":
            through = request.getfixturevalue("through_pgbouncer")
            return Variant(commits=True, settings={"db.prepared_statements": "off"}, url=functools.cache(through))
    return Variant()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a variant makes no difference to, and what it is not for."""
    variant = config.getoption("variant")
    if variant is not None:
        left_out = [item for item in items if not _is_for(variant, item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    if variant == "pgbouncer":
        for item in items:
            item.add_marker("needs_pgbouncer")


def _is_for(variant: str, item: pytest.Item) -> bool:
    not_for = [name for mark in item.iter_markers("not_for") for name in mark.args]
    callspec = getattr(item, "callspec", None)
    dialect = None if callspec is None else callspec.params.get("dialect")
    return (
        "make_wsgi_app" in getattr(item, "fixturenames", ()) and dialect in VARIANTS[variant] and variant not in not_for
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell how many faults there were, or see to it that there were enough."""
    config = session.config
    faults = config.stash.get(FAULTS, None)
    injected = {} if faults is None else {"all": faults.injected, **faults.injected_at_commit}
    if hasattr(config, "workeroutput"):
        config.workeroutput["injected"] = injected
        return
    if config.getoption("variant") == "pgbouncer" and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        # The machine has no PgBouncer, as the summary says.
        session.exitstatus = pytest.ExitCode.OK
    _add(config, injected)
    if config.getoption("variant") == "faults" and not _are_enough(config.stash[INJECTED]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    _add(node.config, getattr(node, "workeroutput", {}).get("injected", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("variant") == "faults":
        injected = config.stash.get(INJECTED, Counter())
        at_commit = " and ".join(f"{injected[name]} on {name}" for name in VARIANTS["faults"])
        terminalreporter.write_line(
            f"injected: {injected['all']} faults, of {FAULTS_MIN} at least; "
            f"at COMMIT {at_commit}, of {FAULTS_AT_COMMIT_MIN} at least on each"
        )


def _are_enough(injected: Counter[str]) -> bool:
    return injected["all"] >= FAULTS_MIN and all(injected[name] >= FAULTS_AT_COMMIT_MIN for name in VARIANTS["faults"])


def _add(config: pytest.Config, injected: Mapping[str, int]) -> None:
    config.stash.setdefault(INJECTED, Counter()).update(injected)
