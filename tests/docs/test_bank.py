"""The month on the page about bank statements goes as the page says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from myapp import settings
from myapp.api import fields, schemas, wishes
from myapp.db import engine as engines
from myapp.db import factory
from myapp.db.scope import session_scope
from myapp.ledger import bank, model, operations, queries, verify
from myapp.ledger.recording import Form
from myapp.scripts import main
from tests.docs import tour

PAGE = (Path(__file__).parents[2] / "docs" / "bank.md").read_text(encoding="utf-8")
NOW = datetime(2026, 2, 1, tzinfo=UTC)
TYPES = {kind.value: kind for kind in model.AccountType} | {
    "assets": model.AccountType.ASSET,
    "expenses": model.AccountType.EXPENSE,
}
ACCOUNTS = ["assets:bank", "assets:clearing", "assets:receivable", "equity:opening", "expenses:rent", "income:interest"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def same(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, name in tour.VARYING:
        text = pattern.sub(name, text)
    return text.strip()


def run(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main.main(shlex.split(command.removeprefix("myapp ")))
    return out.getvalue()


@pytest.mark.commits
def test_goes_as_it_says(
    dialect: str,
    fresh_database_url: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = fresh_database_url(dialect)
    monkeypatch.setenv(settings.URL_VARIABLE, url)
    monkeypatch.chdir(tmp_path)
    for name, language in (("january.csv", "csv"), ("mapping.toml", "toml")):
        (tmp_path / name).write_text("".join(blocks(language)), encoding="utf-8")
    engine = engines.build(settings.Database(url=url))
    sessions = factory.build(engine)
    with session_scope(sessions) as session:
        ledger = operations.create_ledger(session, "shop", metadata={}, now=NOW)
        for path in ACCOUNTS:
            wanted = model.NewAccount(path=path, type=TYPES[path.partition(":")[0]])
            operations.open_account(session, ledger, wanted, now=NOW)
        for block in blocks("json"):
            read = msgspec.json.decode(block, type=schemas.NewTransaction, dec_hook=fields.decode_custom)
            operations.record(session, ledger, [wishes.transaction(read)], now=NOW, form=Form.STEPS)

    for step in [step for block in blocks("console") for step in tour.steps(f"```console\n{block}```\n")]:
        with session_scope(sessions, readonly=True) as session:
            open_ = bank.list_lines(session, ledger, "assets:bank", state=bank.State.OPEN, limit=1)
        command = step.command.replace("OPEN", str(open_[0].id) if open_ else "OPEN")
        assert same(run(command)) == same(step.printed), command

    with session_scope(sessions, readonly=True) as session:
        clearing = queries.get_account(session, ledger, "assets:clearing").balances["EUR"]
        held = all(check.holds for check in verify.verify(session, ledger))
    engine.dispose()
    assert (clearing.balance(model.Side.DEBIT), held) == (0, True)
    assert len(blocks("console")) == 1
