"""What the parties of an escrow do that its own terms ask for."""

from __future__ import annotations

import uuid

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.blueprints.escrows.blueprint import bp
from webapp.blueprints.escrows.page import act
from webapp.blueprints.forms.escrow_secret import SecretForm
from webapp.blueprints.forms.escrows import ReleaseForm
from webapp.domain.exceptions import ValidationError
from webapp.models import Escrow
from webapp.services.escrow_manager import EscrowManager
from webapp.web.guards import signed_in


@bp.post("/<uuid:escrow_id>/approve")
@signed_in
def approve(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Say that the result is good."""

    def effect(escrows: EscrowManager, _escrow: Escrow) -> None:
        escrows.terms.approve(escrow_id)

    return act(escrow_id, "release_form", ReleaseForm(), effect, _("You have approved the result."))


@bp.post("/<uuid:escrow_id>/reveal")
@signed_in
def reveal(escrow_id: uuid.UUID) -> ResponseReturnValue:
    """Show the secret, as it was typed or, if that is not it, what it is in hexadecimal."""
    form = SecretForm()

    def effect(escrows: EscrowManager, _escrow: Escrow) -> None:
        typed = form.secret.data or ""
        try:
            escrows.terms.reveal(escrow_id, typed.encode().hex())
        except ValidationError as error:
            try:
                escrows.terms.reveal(escrow_id, typed)
            except ValidationError:
                raise ValidationError.of("secret", error.fields["preimage"]) from None

    return act(escrow_id, "secret_form", form, effect, _("The secret is revealed."))
