"""What the tests stand on: real daemons, real databases, and nothing of the product's own plumbing."""
