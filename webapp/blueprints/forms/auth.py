"""The forms of the ways in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, HiddenField, PasswordField, RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length

from webapp.domain.roles import Role
from webapp.web.forms import PageForm, stripped

# What people may choose for themselves; operators and arbiters are made on the command line.
OPEN_ROLES = [
    SelectChoice(
        Role.PAYER.value,
        _l("I buy compute\nLock an amount for a task; release it when the result is right."),
    ),
    SelectChoice(
        Role.PROVIDER.value, _l("I run nodes\nDeliver results and get paid, on the chain if you like.")
    ),
]
MAX_EMAIL_LENGTH = 254
MAX_PASSWORD_LENGTH = 200


class LogInForm(PageForm):
    """E-mail and password, and where to go then."""

    email = EmailField(
        _l("E-mail address"),
        [InputRequired(_l("Enter your e-mail address")), Length(max=MAX_EMAIL_LENGTH)],
        [stripped],
    )
    password = PasswordField(
        _l("Password"), [InputRequired(_l("Enter your password")), Length(max=MAX_PASSWORD_LENGTH)]
    )
    next = HiddenField()
    kept_form = HiddenField()


class RegisterForm(PageForm):
    """A new account, of a payer or a provider."""

    role = RadioField(
        _l("What brings you here?"),
        [InputRequired(_l("Choose one"))],
        choices=OPEN_ROLES,
        default=Role.PAYER.value,
    )
    email = EmailField(
        _l("E-mail address"),
        [InputRequired(_l("Enter your e-mail address")), Length(max=MAX_EMAIL_LENGTH)],
        [stripped],
    )
    password = PasswordField(
        _l("Password"), [InputRequired(_l("Choose a password")), Length(max=MAX_PASSWORD_LENGTH)]
    )
    repeated = PasswordField(
        _l("Password, once more"),
        [InputRequired(_l("Repeat the password")), EqualTo("password", _l("Is not the same"))],
    )
