"""Faults against real daemons and databases: every scenario of them, with a seed (`make faults`)."""
