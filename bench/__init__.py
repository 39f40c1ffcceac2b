"""How fast the service is, beside what its database can do in the same minute on the same machine."""
