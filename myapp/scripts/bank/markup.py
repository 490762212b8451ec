"""Read XML that comes from outside: no document type, so no entities, no network, and no bomb.

Expat alone bounds the amplification of entities only in newer versions, and knows external ones; a bank's message has
no document type at all, so one that has is refused before any of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from myapp.scripts.bank.statements import Problem, StatementError

DEPTH_MAX = 64
CHUNK_BYTES = 1 << 20
SEPARATOR = "\n"


@dataclass(slots=True)
class Element:
    """An element by its name without a namespace, with the line of the file it begins at."""

    name: str
    namespace: str
    attributes: Mapping[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, path: str) -> list[Element]:
        """Return the elements at a path of names, such as "NtryDtls/TxDtls"."""
        found = [self]
        for name in path.split("/"):
            found = [child for each in found for child in each.children if child.name == name]
        return found

    def first(self, path: str) -> Element | None:
        """Return the first element at a path."""
        return next(iter(self.all(path)), None)

    def get(self, path: str) -> str:
        """Return the text of the first element at a path that has one; "" where there is none."""
        return next((text for each in self.all(path) if (text := each.text.strip())), "")

    def texts(self, path: str) -> Iterator[str]:
        """Yield the texts of the elements at a path."""
        yield from (text for each in self.all(path) if (text := each.text.strip()))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Element | None = None
        self.open: list[Element] = []
        self.expat = expat.ParserCreate(namespace_separator=SEPARATOR)
        self.expat.buffer_text = True
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self._text
        self.expat.StartDoctypeDeclHandler = self._refuse_document_type

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, local = name.rpartition(SEPARATOR)
        line = self.expat.CurrentLineNumber
        if len(self.open) >= DEPTH_MAX:
            raise StatementError(self.file, [Problem(line=line, text=f"is nested deeper than {DEPTH_MAX} elements")])
        element = Element(name=local, namespace=namespace, attributes=attributes, line=line)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def _end(self, _name: str) -> None:
        self.open.pop()

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def _refuse_document_type(self, *_arguments: object) -> NoReturn:
        text = (
            "has a document type, which no bank's message has; it is not read, since it may hide other files or a bomb"
        )
        raise StatementError(self.file, [Problem(line=self.expat.CurrentLineNumber, text=text)])


def read(content: bytes, *, file: str) -> Element:
    """Return the root of a document.

    Raises:
        StatementError: it is no XML, has a document type, or is nested without reason.
    """
    reader = _Reader(file)
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            reader.expat.Parse(content[start : start + CHUNK_BYTES], False)
        reader.expat.Parse(b"", True)
    except expat.ExpatError as exc:
        text = f"is no XML: {expat.errors.messages.get(exc.code, str(exc))}"
        raise StatementError(file, [Problem(line=exc.lineno, text=text)]) from exc
    except (ValueError, LookupError) as exc:
        raise StatementError(file, [Problem(line=1, text=f"is in an encoding that cannot be read: {exc}")]) from exc
    if reader.root is None:
        raise StatementError(file, [Problem(line=1, text="is no XML: it has no element")])
    return reader.root
