"""The form with which a secret is revealed that an escrow's terms ask for."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from webapp.web.forms import PageForm


class SecretForm(PageForm):
    """A secret, as text or in hexadecimal."""

    secret = StringField(_l("Secret"), [InputRequired(_l("Enter the secret")), Length(max=2048)])
    seen = HiddenField()
