"""Run Beancount's loader in a process of its own, so that whatever becomes of it, here it is one message.

Its parser is written in C and ends the whole process at some input, an amount of `1/0 USD` for one; its loader and a
journal's plugins may raise anything. The process runs this very file as a script, which imports nothing of myapp and
so starts soon, and answers on standard output with a pickle: what was loaded, or how it failed.
"""

from __future__ import annotations

import functools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import BinaryIO, TypeAlias

from beancount import loader
from beancount.core import data, interpolate

Loaded: TypeAlias = tuple[Sequence[data.Directive], Sequence[data.BeancountError], Mapping[str, object]]


class Crash(Exception):
    """The process ended without having loaded the file; the message says how."""


def load(path: str) -> Loaded:
    """Return entries, errors and options of a file, from a process of its own.

    Raises:
        Crash: the process died, or something in it raised an error.
    """
    # -P: the modules beside this file are no business of a plugin's imports.
    command = [sys.executable, "-P", __file__, path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode < 0:
        raise Crash(signal.Signals(-done.returncode).name)
    try:
        answer: Loaded | str = pickle.loads(done.stdout)  # noqa: S301
    except (pickle.UnpicklingError, EOFError, ImportError, AttributeError) as exc:
        raise Crash(f"exit code {done.returncode}; {type(exc).__name__}: {exc}") from exc
    if isinstance(answer, str):
        raise Crash(answer)
    return answer


def load_here(path: str) -> Loaded:
    """Return entries, errors and options of a file, of types that Beancount itself defines."""
    # Beancount would trust a pickle that it finds beside the journal; told so, it removes it and leaves none.
    loader.initialize(use_cache=False)
    entries, errors, options = loader.load_file(path)
    return entries, [_own(error) for error in errors], options


def _own(error: data.BeancountError) -> data.BeancountError:
    """Return a plugin's error as one of Beancount's, which another process knows."""
    if isinstance(error, interpolate.BalanceError):
        return error
    return loader.LoadError(error.source, error.message, None)


def _answer(path: str) -> None:
    """Load the file and write what became of it to standard output, which from here on is nobody else's."""
    # An interrupt is the parent's to answer, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.excepthook = functools.partial(_answer_error, answers)
    answers.write(pickle.dumps(load_here(path)))
    answers.close()


def _answer_error(
    answers: BinaryIO, kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    answers.write(pickle.dumps(f"{kind.__name__}: {error}"))
    answers.close()


if __name__ == "__main__":
    _answer(sys.argv[1])
