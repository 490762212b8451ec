"""What the benches compare with: the same endpoints as people write them with other frameworks.

Each peer is as its framework's own documentation advises, in one process, with eight connections and, where it has
threads, eight of those. `requirements.txt` names what they need, and `constraints.txt` pins it; both go into an
environment of their own, `build/peers`. Nothing here imports the application.
"""
