"""Case files: what is known of one escrow, in a ZIP that can be checked without the service.

A case file holds `case.json` (the escrow, its audit trail, its ledger entries, payouts, offers, disputes, evidence),
`README.txt`, the evidence files as `evidence/0001.png`, and `manifest.json`: a list of all of them with sizes and
SHA-256, each bound to the one before, signed with an Ed25519 key of the service.

Nothing in it is compressed, encrypted, commented or stamped with a time, so the same content has the same bytes, and
nothing can be hidden in it: `archive` refuses every other ZIP. `python -m webapp.domain.case_file verify FILE` needs
neither settings nor a database nor the network.
"""
