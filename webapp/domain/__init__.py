"""The rules in plain Python: money, states, terms, errors. Knows no database, no network and no web."""
