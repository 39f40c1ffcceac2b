"""The tests: they mirror `webapp/`, and `support/` holds the real daemons and databases they run against."""
