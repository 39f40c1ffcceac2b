"""Disputes in force: opened, talked over, mediated, ruled, appealed; ended by their sides, by judges or by time."""
