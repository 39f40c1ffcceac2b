"""The forms of the pages: what was typed, and whether it has the right shape. Rules of the business are services'."""
