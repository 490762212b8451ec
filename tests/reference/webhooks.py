"""Webhooks in the reference model: what is kept of them; that events are sent is tested elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from myapp.ledger.model import NewWebhook
from tests.reference.book import Book, Hook, Refused


def create(book: Book, wanted: NewWebhook) -> Hook:
    assert wanted.after is not None
    hook = Hook(wanted.url, wanted.types, wanted.description, "active", wanted.after)
    book.hooks.append(hook)
    return hook


def found(book: Book, place: int) -> Hook:
    hook = book.hooks[place] if place < len(book.hooks) else None
    if hook is None:
        raise Refused("not-found")
    return hook


def change(book: Book, place: int, change: Mapping[str, object]) -> Hook:
    book.hooks[place : place + 1] = [replace(found(book, place), **change)]  # type: ignore[arg-type]
    return found(book, place)


def remove(book: Book, place: int) -> None:
    found(book, place)
    book.hooks[place] = None
