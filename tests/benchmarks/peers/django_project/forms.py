"""What the endpoints take, checked by Django's forms: one for the transaction, a formset for its lines."""

from __future__ import annotations

import json
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from tests.benchmarks.peers.validation import Posting


class TransactionForm(forms.Form):
    """What a transaction has beside its lines."""

    description = forms.CharField(required=False)


class PostingForm(forms.Form):
    """One line, a debit or a credit."""

    account = forms.CharField()
    currency = forms.CharField(min_length=3, max_length=3)
    debit = forms.DecimalField(required=False, max_digits=13, decimal_places=2, min_value=Decimal("0.01"))
    credit = forms.DecimalField(required=False, max_digits=13, decimal_places=2, min_value=Decimal("0.01"))

    def clean(self) -> dict[str, object]:
        cleaned = super().clean()
        if (cleaned.get("debit") is None) == (cleaned.get("credit") is None):
            raise ValidationError("a posting has either a debit or a credit")
        return cleaned


def transaction(request: HttpRequest) -> tuple[str, list[Posting]]:
    """Return the description and the lines of the transaction in the body, which balances."""
    try:
        body = json.loads(request.body)
    except json.JSONDecodeError as exc:
        raise ValidationError("the body is no JSON") from exc
    form = TransactionForm(body)
    postings = [PostingForm(each) for each in body.get("postings", [])]
    if not form.is_valid() or len(postings) < 2 or not all(each.is_valid() for each in postings):
        raise ValidationError("a transaction has a description and at least two postings")
    lines = [Posting(**each.cleaned_data) for each in postings]
    if sum(line.amount for line in lines):
        raise ValidationError("debits and credits differ")
    return form.cleaned_data["description"], lines
