"""Nodes of the compute network: who they are, how they are, and what their work came to."""
