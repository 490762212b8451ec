"""No type that crosses the wire is left for msgspec to learn while requests are served."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, which has used none of them yet. What msgspec has learnt it does not ask Python for again.
PROGRAM = """
import sys
import msgspec
import msgspec._utils
from pyramid.config import Configurator
from myapp import api, settings
from myapp.api import learning

names = []

def note(frame, event, _argument):
    if event == "call" and frame.f_code is msgspec._utils.get_class_annotations.__code__:
        names.append(frame.f_locals["obj"].__name__)

def ask():
    names.clear()
    for kind in learning.kinds():
        msgspec.json.Decoder(kind)
    return list(names)

config = Configurator()
config.registry["myapp.settings"] = settings.Application()
if sys.argv[1] == "forget":
    learning.learn = lambda: None
api.includeme(config)
sys.setprofile(note)
print(len(list(learning.kinds())), len(ask()))
"""


def asked_for(what: str) -> tuple[int, int]:
    """Return how many types there are, and how many msgspec has still to learn."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, what]
    there, unknown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(there), int(unknown)


def test_leaves_none_for_later() -> None:
    there, unknown = asked_for("start")
    assert there > 100
    assert unknown == 0


def test_would_leave_some_without_it() -> None:
    _, unknown = asked_for("forget")
    assert unknown > 50
