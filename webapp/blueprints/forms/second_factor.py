"""The forms of the second factor."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from webapp.web.forms import PageForm, stripped


class CodeForm(PageForm):
    """A code of the authenticator; where one logs in, or a recovery code. `pending` is the log-in that waits for it."""

    code = StringField(_l("Code"), [InputRequired(_l("Enter the code")), Length(max=32)], [stripped])
    pending = HiddenField()
