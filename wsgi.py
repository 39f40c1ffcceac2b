"""The application for a WSGI server: `wsgi:app`."""

from __future__ import annotations

import gc

from webapp import create_app

app = create_app()
# What is there now stays to the end: the collector of garbage need not go through all of it again and again. Nor does
# it find anything in the middle of a request, which may make some ten thousand objects.
gc.freeze()
gc.set_threshold(20_000)
