"""What a view declares of its unit of work with `db={…}`, and the defaults.

readonly   the database refuses writes          default: GET, HEAD and OPTIONS are, others not
isolation  "READ COMMITTED" | "REPEATABLE READ" | "SERIALIZABLE"        default: the setting db.isolation
retry      attempts in all; 1 never repeats     default: the setting retry.attempts, which is also the most
timeout    seconds the whole request may take, waits and repeats too    default: the setting db.deadline_seconds
primary    read from the primary even if the view is read-only          default: False
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from myapp import settings

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one request uses the database; None leaves a choice to the settings."""

    readonly: bool | None = None
    isolation: str | None = None
    retry: int | None = None
    timeout: float | None = None
    primary: bool = False


DEFAULT = Options()


def parse(declared: Mapping[str, object], *, attempts_max: int) -> Options:
    """Return the options of a `db={…}` declaration.

    Raises:
        ValueError: a name or a value that makes no sense, all of them listed.
    """
    problems = [f"{name!r} is no option; there are {', '.join(_CHECKS)}" for name in declared if name not in _CHECKS]
    for name, (is_good, expected) in _CHECKS.items():
        if name in declared and not is_good(declared[name]):
            problems.append(f"{name} = {declared[name]!r}: expected {expected}")
    if not problems:
        problems = _contradictions(declared, attempts_max)
    if problems:
        raise ValueError("; ".join(problems))
    return Options(**declared)  # type: ignore[arg-type]


def is_readonly(options: Options, method: str) -> bool:
    """Say whether a request with this method may write."""
    return method in READ_METHODS if options.readonly is None else options.readonly


def _contradictions(declared: Mapping[str, object], attempts_max: int) -> list[str]:
    retry = declared.get("retry")
    if isinstance(retry, int) and retry > attempts_max:
        return [f"retry = {retry}: the setting retry.attempts allows {attempts_max} at most"]
    if declared.get("primary") and declared.get("readonly") is False:
        return ["primary = True is for reads; a view that writes uses the primary anyway"]
    return []


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_isolation(value: object) -> bool:
    return value in settings.ISOLATION_LEVELS


def _is_attempts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 3600


_CHECKS = {
    "readonly": (_is_bool, "True or False"),
    "isolation": (_is_isolation, " | ".join(settings.ISOLATION_LEVELS)),
    "retry": (_is_attempts, "a whole number of attempts from 1"),
    "timeout": (_is_seconds, "seconds above 0, at most 3600"),
    "primary": (_is_bool, "True or False"),
}
