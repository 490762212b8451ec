"""A bench of several comparisons, one after the other: each with sides and a reference of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import plot, table
from tests.benchmarks.bench import Progress, Size
from tests.benchmarks.compare import Comparison
from tests.benchmarks.findings import Findings
from tests.benchmarks.sides import Side


@dataclass(frozen=True, kw_only=True)
class SeriesFindings:
    """What each comparison found, in their order."""

    bench: str
    title: str
    parts: Sequence[Findings]

    def is_well(self) -> bool:
        return all(part.is_well() for part in self.parts)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SeriesFindings:
        values = json.loads(text)
        return cls(**values | {"parts": [Findings.from_json(json.dumps(each)) for each in values["parts"]]})


@dataclass(frozen=True, kw_only=True)
class Series:
    """One bench of several comparisons."""

    name: str
    title: str
    parts: Sequence[Comparison]

    @property
    def sides(self) -> Sequence[Side]:
        return [side for part in self.parts for side in part.sides]

    def run(self, size: Size, wanted: Sequence[str], progress: Progress) -> SeriesFindings:
        """Run all of them."""
        progress.begin(self.name, sum(part.steps(size, wanted) for part in self.parts))
        found = [part.run_beside_others(size, wanted, progress) for part in self.parts]
        return SeriesFindings(bench=self.name, title=self.title, parts=found)

    def render(self, findings: SeriesFindings) -> str:
        """Return the findings as text."""
        return "\n".join([f"## {self.title}\n", *(table.render(part) for part in findings.parts)])

    def draw(self, findings: SeriesFindings, path: Path) -> None:
        """Write the findings as one picture, a row of panels for each comparison."""
        plot.draw(findings.parts, path)
