"""The form with which a side of a dispute adds evidence."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import TextAreaField
from wtforms.validators import Optional

from webapp.services.evidence.book import SubmittedFile
from webapp.web.forms import PageForm, stripped


class EvidenceForm(PageForm):
    """A text, a file, or both. What they may be is judged by `services.evidence.book`."""

    text = TextAreaField(_l("What do you want to say?"), [Optional()], [stripped], id="evidence-text")
    file = FileField(_l("File"), id="evidence-file")

    def take_file(self, max_bytes: int) -> SubmittedFile | None:
        """The file that was chosen, with one byte more than may be if it is too large. None without one."""
        sent = self.file.data
        return SubmittedFile(sent.filename or "", sent.read(max_bytes + 1)) if sent else None
