"""What the page of one escrow shows to one reader: names, the way things stand, what may be done, the timeline."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_login import current_user

from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, Party, Status, Terms, allowed_actions
from webapp.domain.money import ZERO, split
from webapp.domain.roles import Actor, Role
from webapp.models import Escrow, EscrowTransaction, Payout
from webapp.services import audit_trail, escrow_desk
from webapp.services.downtime import fair_terms
from webapp.services.escrow_division import Division
from webapp.services.escrow_payments import payments_of
from webapp.services.wallet_queries import list_payouts_of_escrow
from webapp.web.current import db_session, services
from webapp.web.escrow_payment import PaymentView, payment_view
from webapp.web.escrow_story import Happening, Reader, is_final, story
from webapp.web.formats import money, percent
from webapp.web.parties import is_reader, wallet_name


@dataclass(frozen=True, slots=True)
class EscrowView:
    """One escrow as one reader sees it. `payer` and `provider` are "you" or a wallet's number in words."""

    escrow: Escrow
    payer: str
    provider: str
    is_payer: bool
    is_provider: bool
    actions: frozenset[Action]
    next_step: str
    provider_share: str
    fund_share: str
    happenings: list[Happening]
    payment: PaymentView | None
    is_final: bool
    was_disputed: bool

    @property
    def parts(self) -> Division:
        """Who got what of an escrow that was divided."""
        share = (self.escrow.resolved_provider_amount or ZERO) + (
            self.escrow.resolved_community_amount or ZERO
        )
        return Division.of(self.escrow, share)

    def may(self, action: str) -> bool:
        """Whether this reader may do this now."""
        return Action(action) in self.actions


def view_of(escrow: Escrow, parties: frozenset[Party]) -> EscrowView:
    """The view for whoever is logged in, who stands to the escrow as `parties`. A fixed number of queries."""
    actor: Actor = current_user.actor
    names = {wallet_id: wallet_name(wallet_id, actor) for wallet_id in _wallets(escrow)}
    payer, provider = names[escrow.payer_wallet_id], names[escrow.provider_wallet_id]
    trail = audit_trail.entries(db_session(), escrow.id)
    payouts = list_payouts_of_escrow(db_session(), escrow.id, _wallets(escrow))
    terms = fair_terms(db_session(), services().settings, escrow)
    actions = allowed_actions(terms, parties, utcnow())
    if terms.decide_themselves:
        actions -= {Action.RELEASE}  # an approval, which is asked for where the terms do
    shares = _shares(escrow)
    return EscrowView(
        escrow=escrow,
        payer=payer,
        provider=provider,
        is_payer=Party.PAYER in parties,
        is_provider=Party.PROVIDER in parties,
        actions=actions,
        next_step=_next_step(escrow, parties, payer, provider, actions, payouts),
        provider_share=shares[0],
        fund_share=shares[1],
        happenings=_story(escrow, trail, payouts, payer, provider),
        payment=_payment(escrow, terms) if Party.PAYER in parties else None,
        is_final=is_final(escrow, payouts),
        was_disputed=any(event.kind == "disputed" for event in trail),
    )


def _wallets(escrow: Escrow) -> tuple[int, int]:
    return escrow.payer_wallet_id, escrow.provider_wallet_id


def _story(
    escrow: Escrow,
    trail: list[EscrowTransaction],
    payouts: list[Payout],
    payer: str,
    provider: str,
) -> list[Happening]:
    reader = Reader(
        name_of=_namer(escrow, trail).name,
        payer=payer,
        provider=provider,
        sees_payouts_of=current_user.actor.wallet_ids
        if current_user.role != Role.OPERATOR
        else frozenset(_wallets(escrow)),
    )
    return story(escrow, trail, payouts, reader, services().settings.wallet.payout_confirmations)


def _payment(escrow: Escrow, terms: Terms) -> PaymentView | None:
    payments = payments_of(db_session(), [escrow]).get(escrow.id)
    return payment_view(escrow, terms, payments, services().settings.wallet) if payments else None


@dataclass(frozen=True, slots=True)
class _Namer:
    """Turns the actors of a trail into words."""

    escrow: Escrow
    owners: dict[int, int]
    wallets_of_keys: dict[str, int]

    def name(self, actor: str) -> str:
        kind, _separator, identifier = actor.partition(":")
        if kind == "worker":
            return _("by itself")
        if kind == "user":
            return self._of_user(int(identifier))
        if kind == "key":
            return self._of_key(identifier)
        return _("by the service")

    def _of_user(self, user_id: int) -> str:
        if user_id == current_user.id:
            return _("by you")
        if self.owners.get(self.escrow.payer_wallet_id) == user_id:
            return _("by the payer")
        is_provider = self.owners.get(self.escrow.provider_wallet_id) == user_id
        return _("by the provider") if is_provider else _("by the staff")

    def _of_key(self, key_id: str) -> str:
        if key_id == self.escrow.verifier_key_id:
            return _("by the verifier")
        owner = self.wallets_of_keys.get(key_id)
        if owner in current_user.actor.wallet_ids:
            return _("by your key")
        if owner == self.escrow.payer_wallet_id:
            return _("by the payer’s key")
        return _("by the provider’s key") if owner == self.escrow.provider_wallet_id else _("by a key")


def _namer(escrow: Escrow, trail: list[EscrowTransaction]) -> _Namer:
    keys = {entry.actor.partition(":")[2] for entry in trail if entry.actor.startswith("key:")}
    return _Namer(
        escrow,
        escrow_desk.owners(db_session(), _wallets(escrow)),
        escrow_desk.wallets_of_keys(db_session(), keys),
    )


def _shares(escrow: Escrow) -> tuple[str, str]:
    """The two shares in per cent, if the split is the one of the present settings."""
    basis_points = services().settings.escrow.fund_basis_points
    if split(escrow.amount, basis_points) != (escrow.provider_amount, escrow.community_amount):
        return "", ""
    return percent(10_000 - basis_points), percent(basis_points)


def _next_step(
    escrow: Escrow,
    parties: frozenset[Party],
    payer: str,
    provider: str,
    actions: frozenset[Action],
    payouts: list[Payout],
) -> str:
    if escrow.terms.decide_themselves and Action.DELIVER not in actions:
        return _("The terms of this escrow decide when the money moves: see how it ends.")
    if escrow.status == Status.PENDING:
        if Party.PAYER in parties:
            return _("It begins when your payment has arrived. Until then it can be cancelled.")
        return _(
            "It waits for the payment of %(payer)s. Nothing is to be done before it has arrived.", payer=payer
        )
    if escrow.status == Status.ACTIVE:
        if Action.DELIVER in actions:
            return _(
                "%(amount)s are locked for you. Do the work, then deliver its result.",
                amount=money(escrow.amount),
            )
        if Action.REFUND in actions and Party.PAYER in parties:
            return _("The deadline passed without a result.")
        if is_reader(provider):
            return _("The money is locked until you deliver the result.")
        return _("The money is locked until %(provider)s delivers the result.", provider=provider)
    if escrow.status == Status.DELIVERED:
        if Action.RELEASE in actions:
            return _("The result is here. Check it, then release the money.")
        if is_reader(payer):
            return _("The result is delivered; you can release the money now.")
        return _("The result is delivered; %(payer)s can release the money now.", payer=payer)
    if escrow.status == Status.DISPUTED:
        return _("It is disputed: the money stays where it is until both sides agree, or it is decided.")
    if not is_final(escrow, payouts):
        return _("Everybody is paid; the coins are on their way through the chain.")
    return _("Nothing is left to do.")
