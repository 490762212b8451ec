"""The endpoints: through hordak's models, and with the application's one statement.

hordak keeps no balance: it sums an account's legs when it is asked for one. So the answer to a transfer has none, in
its favour, and a balance is read as its documentation recommends, by its function in the database.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from hordak.models import Account, Leg, Transaction
from moneyed import Money

from tests.benchmarks.peers import statement
from tests.benchmarks.peers.django_project import forms


@csrf_exempt
@require_POST
def record(request: HttpRequest) -> JsonResponse:
    try:
        description, lines = forms.transaction(request)
    except ValidationError as exc:
        return JsonResponse({"errors": exc.messages}, status=422)
    paths = {line.account for line in lines}
    with transaction.atomic():
        accounts = {account.name: account for account in Account.objects.filter(name__in=paths)}
        if len(accounts) < len(paths):
            return JsonResponse({"errors": ["unknown account"]}, status=422)
        recorded = Transaction.objects.create(description=description)
        for line in lines:
            side = "debit" if line.debit is not None else "credit"
            amount = Money(abs(line.amount), line.currency)
            Leg.objects.create(transaction=recorded, account=accounts[line.account], **{side: amount})
    postings = [{"account": line.account, "debit": line.debit, "credit": line.credit} for line in lines]
    return JsonResponse({"id": recorded.uuid, "description": description, "postings": postings}, status=201)


@require_GET
def balance(request: HttpRequest, path: str) -> JsonResponse:
    account = get_object_or_404(Account.objects.with_balances(), name=path)
    return JsonResponse({"account": account.name, "balance": [str(each) for each in account.balance.monies()]})


@csrf_exempt
@require_POST
def record_by_statement(request: HttpRequest) -> JsonResponse:
    try:
        description, wanted = forms.transaction(request)
    except ValidationError as exc:
        return JsonResponse({"errors": exc.messages}, status=422)
    lines, given = statement.lines(wanted), given_statement()
    now = datetime.now(UTC)
    values = statement.parameters(ledger_id(), lines, description, now, integers=statement.as_text)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(given.text, given.named(values))
        answer = statement.judged(cursor.fetchone()[0])
        if not answer.transaction_count:
            transaction.set_rollback(True)
            return JsonResponse({"errors": ["not recorded"]}, status=422)
    return JsonResponse(statement.told(values, lines, answer), status=201)


given_statement = functools.cache(statement.given)


@functools.cache
def ledger_id() -> UUID:
    with connection.cursor() as cursor:
        cursor.execute(statement.LEDGER_ID)
        return cursor.fetchone()[0]
