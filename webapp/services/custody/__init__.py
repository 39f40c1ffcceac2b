"""The custodian's own rules: what may leave and who must agree, what lies in cold storage, and frozen wallets."""
