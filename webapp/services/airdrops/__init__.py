"""The community fund given back: what is decided from which facts, what is posted, and what becomes of each share."""
