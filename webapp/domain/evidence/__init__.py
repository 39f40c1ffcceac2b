"""Evidence, as far as it needs no database: what files are taken, under which names, and how items are chained."""
