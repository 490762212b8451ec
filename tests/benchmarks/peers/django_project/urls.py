"""The addresses, the same as the application's; which endpoint records is the environment's to say."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from tests.benchmarks.peers import books
from tests.benchmarks.peers.django_project import views

ledger = f"v1/ledgers/{books.LEDGER}"
urlpatterns = [
    path(f"{ledger}/transactions", views.record_by_statement if settings.BY_STATEMENT else views.record),
    path(f"{ledger}/accounts/<path>/balance", views.balance),
]
