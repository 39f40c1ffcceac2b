"""The parts of `services/chain_watcher.py`: addresses that are given out, and credits that can be taken back."""
