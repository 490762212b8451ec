from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from myapp.scripts.importing import apart, reading
from myapp.scripts.importing.plan import JournalError, Place

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Income:Work
"""


def read_here(path: Path) -> reading.Journal:
    return reading.read(path, load=apart.load_here)


def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as refused:
        read_here(path)
    return str(refused.value)


class TestRead:
    def test_refuses_a_file_that_is_not_there(self, tmp_path):
        assert refusal(tmp_path / "none.beancount") == (
            f"{tmp_path}/none.beancount: cannot be read: No such file or directory"
        )

    def test_refuses_a_directory(self, tmp_path):
        assert "is a directory" in refusal(tmp_path)

    def test_refuses_bytes_that_are_not_utf_8_and_names_their_line(self, tmp_path):
        path = tmp_path / "latin1.beancount"
        path.write_bytes(b"; first\n; caf\xe9\n")
        assert refusal(path) == f"{path}:2: is not UTF-8 text"

    @pytest.mark.parametrize("text", ["", "; nothing but a comment\n", "just some prose\n"])
    def test_refuses_a_file_without_entries(self, write, text):
        assert str(write(text)) in refusal(write(text))

    def test_names_the_line_of_each_error_beancount_finds(self, write):
        path = write(
            ACCOUNTS
            + """\
2024-02-01 * "Does not balance"
  Assets:Cash   10.00 USD
  Income:Work  -9.00 USD
2024-02-02 * "No such account"
  Assets:Nowhere   1.00 USD
  Income:Work     -1.00 USD
"""
        )
        first, second = refusal(path).splitlines()
        assert first.startswith(f"{path}:3: Transaction does not balance")
        assert second.startswith(f"{path}:6: Invalid reference to unknown account 'Assets:Nowhere'")

    def test_names_an_include_that_is_not_there(self, write):
        assert "nowhere.beancount" in refusal(write('include "nowhere.beancount"\n' + ACCOUNTS))

    def test_says_in_one_line_that_a_plugin_is_not_there(self, write):
        path = write('plugin "no_such_plugin"\n' + ACCOUNTS)
        assert refusal(path) == (
            f"{path}: Error importing \"no_such_plugin\": ModuleNotFoundError: No module named 'no_such_plugin'"
        )

    def test_keeps_a_balance_that_fails_for_the_ledger_to_judge(self, write):
        path = write(ACCOUNTS + "2024-02-01 balance Assets:Cash 5.00 USD\n")
        assert read_here(path).failed == {Place(file=str(path), line=3)}

    def test_refuses_a_failing_balance_of_an_account_that_is_not_open(self, write):
        path = write(ACCOUNTS + "2024-02-01 balance Assets:Zed 5.00 USD\n")
        assert refusal(path) == f"{path}:3: Invalid reference to unknown account 'Assets:Zed'"

    def test_trusts_no_pickle_beside_the_journal_and_leaves_none(self, write, monkeypatch):
        monkeypatch.setattr("beancount.loader.PICKLE_CACHE_THRESHOLD", 0.0)
        path = write(ACCOUNTS)
        pickled = path.parent / ".journal.beancount.picklecache"
        pickled.write_bytes(pickle.dumps(([], [], None)))
        assert len(read_here(path).entries) == 2
        assert list(path.parent.iterdir()) == [path]
