"""Webhooks: where the events of a ledger are sent, and how far that has come.

Note [Whose turn it is]
Events are sent to a webhook in order, so by one at a time: by whoever has its lease, a row update with a predicate. It
is for a short time and renewed with each event that was sent, so that of one who died is over soon. Whatever else
changes the webhook takes the lease away, and the holder's next update changes no row: that is how it learns. What it
was just sending may then be sent again, and never is an event left out.
"""
