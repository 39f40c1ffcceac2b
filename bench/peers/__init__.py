"""What others reach on the same machine: peers are installed from their packages and driven beside the reference."""
