"""Events: what each change writes of itself, and the numbers by which readers follow them."""

# Note [The order of events]
# A number that is drawn when a row is written says nothing of when it is committed: a reader at 17 would miss 16, which
# becomes visible later. So an event draws a place as it is written, and gets its number (`seq`) once it is visible,
# under a lock on the row of its ledger: whatever shows up later gets a later number, so none is ever skipped.
#
# Those that are numbered together are in the order of their places. A place is drawn after the locks of what the event
# tells of were taken. So of two that change the same account the later committer has the later place, since it waited
# for the other's end, and so has one that began after the other was committed. Whoever sees the later one sees the
# earlier one as well, and so the numbers of any two such events are in the order of their commits. The order of two
# that had nothing to do with each other is that in which they were seen, and by place among those seen at once.
