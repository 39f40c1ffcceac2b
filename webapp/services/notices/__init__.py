"""Notices: what has happened is read off the rows that tell it anyway, so that nothing that moves money writes more."""
