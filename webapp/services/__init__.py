"""What the system does. Imports no Flask: the web, the worker and the command line are thin siblings over this."""
