"""Evidence in disputes: sealed files, who may add and read, and what was added."""
