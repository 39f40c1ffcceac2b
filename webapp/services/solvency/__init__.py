"""Statements that what is owed is covered, and each owner's proof of being counted; `domain/solvency` says how."""
