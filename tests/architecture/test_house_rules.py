"""The house rules hold, and each can tell."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture import house_rules

each_rule = pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.name)


class TestHouseRules:
    @each_rule
    def test_holds_everywhere(self, rule: house_rules.Rule):
        breaches = [
            f"{path.relative_to(house_rules.ROOT)}:{line}: {fault}"
            for path in rule.files()
            for line, fault in rule.breaches(ast.parse(path.read_text(encoding="utf-8")))
        ]

        assert not breaches, "\n".join([rule.name, *breaches])

    @each_rule
    def test_looks_at_some_file(self, rule: house_rules.Rule):
        assert list(rule.files())

    @each_rule
    def test_exempts_only_what_would_break_it(self, rule: house_rules.Rule):
        for glob in rule.without:
            trees = [ast.parse(path.read_text(encoding="utf-8")) for path in house_rules.ROOT.glob(glob)]

            assert any(list(rule.breaches(tree)) for tree in trees), glob

    @each_rule
    def test_catches_each_breach_and_nothing_else(self, rule: house_rules.Rule):
        for source in rule.broken:
            assert list(rule.breaches(ast.parse(source))), source
        assert not list(rule.breaches(ast.parse(rule.kept)))


class TestModuleNames:
    def test_say_what_is_inside(self):
        vague = {"utils", "helpers", "common", "misc"}

        assert not [path for path in (house_rules.ROOT / "myapp").rglob("*.py") if path.stem in vague]


class TestSqlFiles:
    CLOCK = re.compile(r"\b(now\s*\(|(current|local)_?(timestamp|date|time)\b|clock_timestamp)", re.IGNORECASE)

    def test_read_no_clock(self):
        files = list((house_rules.ROOT / "myapp" / "ledger" / "sql").glob("*.sql"))

        assert files
        assert not [path.name for path in files if self.CLOCK.search(path.read_text(encoding="utf-8"))]

    @pytest.mark.parametrize("source", ["SELECT now()", "VALUES (CURRENT_TIMESTAMP)", "SELECT clock_timestamp ()"])
    def test_with_a_clock_are_caught(self, source: str):
        assert self.CLOCK.search(source)
