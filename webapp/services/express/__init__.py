"""The usual life of an escrow, at a few round trips: `lane.py` is the whole of it, and says when it does not apply."""
