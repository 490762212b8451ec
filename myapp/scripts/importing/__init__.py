"""Load a Beancount journal into a ledger.

apart        the file, in a process that may crash           -> what Beancount made of it
reading      the file, with Beancount's own loader          -> entries
journal      entries                                        -> a Plan, pure
references   the plan against what the ledger already has   -> what is new, pure
pricing      the plan's prices, and which of them are new
loading      the plan into a Destination                    -> an Outcome
local        a Destination: the database, in one unit of work
remote       a Destination: a running service, over HTTP
assertions   the journal's balance directives against the ledger's postings, pure
"""
