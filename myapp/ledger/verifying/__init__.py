"""The ledger's invariants, one room for each kind. `myapp.ledger.verify` runs them.

What is whole is found in one statement, so it is right beside writers too. What is read in portions is right in each of
them, so each may be a unit of work of its own, and no snapshot is held for long.

Tables are compared by EXCEPT and not by a join: see Note [Plans for a new ledger] in queries/__init__.py.
"""
