"""The coin daemon: connections, dialect, its wallet, its process. `services/wallet_rpc.py` is what speaks to it."""
