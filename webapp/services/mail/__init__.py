"""E-mail: whose address was confirmed, what is to be sent, and handing it to a mail server."""
