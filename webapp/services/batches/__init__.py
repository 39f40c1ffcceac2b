"""Many operations on escrows in one request and one transaction: each atomic by itself, or all together."""
