"""The application for a WSGI server: `wsgi:app`."""

from __future__ import annotations

import gc

# Nothing of what is put together at the start is garbage: looking for some would take a tenth of the time.
gc.disable()

from webapp import create_app  # noqa: E402

app = create_app()
# What is there now stays to the end: the collector of garbage need not go through all of it again and again. Nor does
# it find anything in the middle of a request, which may make some ten thousand objects.
gc.freeze()
gc.set_threshold(20_000)
gc.enable()
