"""Terms of escrows in force: read and proved at creation, judged after every fact and whenever time may decide."""
