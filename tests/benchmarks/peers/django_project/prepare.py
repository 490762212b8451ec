"""Make the tables by the migrations, and the accounts."""

from __future__ import annotations

from django.core.management import call_command

# Importing it sets Django up.
from tests.benchmarks.peers.django_project import wsgi  # noqa: F401


def prepare() -> None:
    from hordak.models import Account

    from tests.benchmarks.peers import books

    call_command("migrate", verbosity=0)
    for path in books.paths():
        Account.objects.create(name=path, type="AS", currencies=[books.CURRENCY])


if __name__ == "__main__":
    prepare()
