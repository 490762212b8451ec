"""The addresses, the same as the application's; which endpoint records is the environment's to say."""

from __future__ import annotations

import os

from django.urls import path

from tests.benchmarks.peers import books
from tests.benchmarks.peers.django_project import views

STATEMENT_VARIABLE = "BENCH_BY_STATEMENT"

ledger = f"v1/ledgers/{books.LEDGER}"
record = views.record_by_statement if STATEMENT_VARIABLE in os.environ else views.record
urlpatterns = [
    path(f"{ledger}/transactions", record),
    path(f"{ledger}/accounts/<path>/balance", views.balance),
]
