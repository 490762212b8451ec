"""Several processes behind one port: who starts and watches them, and what a worker is given.

Knows nothing of the application: a worker is an ordinary `pserve`.
See docs/decisions/0025-processes-behind-one-port.md.
"""
