"""The load generator: a process of its own, which sends requests over kept connections and reports what came back.

It is ours because it has to be started by a `pip install` alone, to send one prepared request after the other for far
less than any server takes to answer it, and to keep a schedule: what PyPI has either waits for an answer before it
sends the next request, so that a server's pause hides from its figures (coordinated omission), or costs more than
what it measures.
"""
