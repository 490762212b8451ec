"""Load what other programs keep, or a ledger exported from here, into a ledger.

A journal becomes a Plan, and what the ledger lacks of it is recorded:

apart        Beancount's file, in a process that may crash   -> what Beancount made of it
reading      the file, with Beancount's own loader           -> entries
journal      entries                                         -> a Plan, pure
hledger      what `hledger print -O json` says               -> a Plan, pure
references   the plan against what the ledger already has    -> what is new, pure
pricing      the plan's prices, and which of them are new
loading      the plan into a Destination                     -> an Outcome
assertions   the journal's balance directives against the ledger's postings, pure

An export as NDJSON is a log, and is replayed:

dump         the file, checked whole and then line by line; checking says whether its lines can be
replaying    the log into a Destination, as deeds

local        a Destination: the database, in one unit of work
remote       a Destination: a running service, over HTTP
"""
