"""What changes, told to those whom it concerns as soon as it is committed: ids of things, never what is in them.

`announce` wakes the other processes, `reader` finds what has changed, `hub` hands it to the streams of this process.
"""
