"""The only code that writes money rows: the journal, the wallets' balances, the pooled accounts, and their proof."""
