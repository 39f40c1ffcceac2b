"""The ladder of a dispute, as pure rules: its rungs and who may do what on each, its clocks, what silence leads to, how
a panel decides, and who may judge. Nothing here reads or changes anything.
"""
