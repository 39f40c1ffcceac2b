"""Airdrops that operators give by hand: to nodes that they name, whole or not at all.

They decide over the rules of the automatic one (a node may be offline, new, without settled work), but not over what
protects the fund: the least and the most, suspended nodes, and that nobody gives to themselves. No daemon is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain.accounts import FUND
from webapp.domain.airdrops import Share
from webapp.domain.airdrops.order import Order
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import CommunityFundError, ConflictError, PermissionDeniedError, ValidationError
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor, Role, Scope
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import Airdrop, ChainCursor, User, Wallet
from webapp.services import operator_actions
from webapp.services.airdrops import book, manual_preview
from webapp.services.airdrops.book import Recipient
from webapp.services.airdrops.manual_preview import Preview, Row
from webapp.services.unit_of_work import unit_of_work

_TRIES = 5


class AirdropChangedError(ConflictError):
    """Other amounts, or to other places, than were shown."""

    slug = "airdrop-changed"
    title = said("The airdrop is not what was shown any more")


class ManualAirdrops:
    """Airdrops by hand, as one actor. Make it outside a unit of work: an outside registry is asked for its nodes.

    Raises PermissionDeniedError for whoever may not give any, DirectoryUnreachableError.
    """

    def __init__(self, session: Session, settings: Settings, actor: Actor) -> None:
        self.session = session
        self._settings = settings
        self._asker = manual_preview.asker_of(session, settings, actor.wallet_ids)
        self._actor = replace(actor, wallet_ids=self._asker.own_wallets)
        if not (actor.is_program or actor.role is Role.OPERATOR or self._is_operators_key()):
            raise PermissionDeniedError(said("only an operator gives the community fund away"))

    def preview(
        self, node_ids: Sequence[str], amount_per_node: object = None, total_amount: object = None
    ) -> Preview:
        """What would be given now, with every reason against it. Nothing happens."""
        return manual_preview.look(
            self.session, self._settings, self._asker, node_ids, amount_per_node, total_amount
        )

    def require_possible(self, preview: Preview, reason: str = "") -> str:
        """The reason without superfluous white space. Raises ValidationError naming each field with all that is wrong
        with it, PermissionDeniedError if the only thing is that a node is the actor's own.
        """
        problems, why = preview.fields, ""
        try:
            why = checked_reason(reason) if reason.strip() else ""
        except ValidationError as error:
            problems |= error.fields
        if problems and preview.is_only_their_own:
            for row in preview.rows:
                self._actor.require_not_own(said("node {node_id}", node_id=row.node_id), row.wallet_id)
        if problems:
            words = "; ".join(f"{name}: {message}" for name, message in problems.items())
            raise ValidationError(said("nothing is given: {words}", words=words), fields=problems)
        return why

    def give(
        self,
        node_ids: Sequence[str],
        amount_per_node: object = None,
        total_amount: object = None,
        reason: str = "",
        shown: str | None = None,
    ) -> Airdrop:
        """Give it, in one unit of work. `shown` is the mark of the preview that was agreed to.

        Raises what `require_possible` does, AirdropChangedError when it would not be what was shown, and
        CommunityFundError when at the last moment nobody can be paid.
        """
        with unit_of_work(self.session):
            # Whoever else takes from the fund waits: what is there now is there when it is posted.
            pooled.lock(self.session, FUND)
            preview = self.preview(node_ids, amount_per_node, total_amount)
            if shown not in (None, preview.mark):
                raise AirdropChangedError(said("the nodes have changed since the dry run: look at it again"))
            why = self.require_possible(preview, reason)
            stored = self._store(preview, why)
            operator_actions.record(
                self.session,
                self._actor,
                "give_airdrop",
                f"airdrop:{stored.id}",
                reason=why,
                recipients=len(preview.rows),
                amount_per_node=preview.amount_per_node,
                total=preview.total,
            )
            given = book.post(self.session, self._settings, stored.id)
            if given.status == "abandoned":
                raise CommunityFundError(said("nothing is given: {reason}", reason=given.reason))
            return given

    def _store(self, preview: Preview, reason: str) -> Airdrop:
        """Keep the order. An automatic airdrop may take the number at the same moment: then the next one is."""
        height = self.session.execute(select(ChainCursor.tip_height)).scalar() or 0
        for _ in range(_TRIES):
            order = Order(
                airdrop_id=str(airdrop_id := uuid7()),
                number=book.next_number(self.session),
                taken_at=utcnow(),
                balance=preview.balance,
                rules=preview.rules,
                reason=reason,
                recipients=[Share(row.node_id, row.amount) for row in preview.rows],
            )
            stored = book.store(
                self.session,
                airdrop_id=airdrop_id,
                number=order.number,
                kind="manual",
                requested_by=self._responsible(),
                reason=reason,
                balance=order.balance,
                block_height=height,
                document=order.document(),
                recipients=[_recipient(row) for row in preview.rows],
                taken_at=order.taken_at,
            )
            if stored is not None:
                return stored
        raise ConflictError(said("other airdrops are being made: try again in a moment"))

    def _responsible(self) -> str:
        """Whose airdrop it is: of a key, the operator's who owns it, and may not approve what it asked for."""
        if self._actor.key_id is None:
            return self._actor.name
        owner = select(Wallet.user_id).where(Wallet.id.in_(self._actor.wallet_ids)).limit(1)
        return f"user:{self.session.execute(owner).scalar_one()}"

    def _is_operators_key(self) -> bool:
        """Whether the key may do this, and whoever it belongs to is still an operator."""
        if self._actor.scopes is None or Scope.FUND_AIRDROP not in self._actor.scopes:
            return False
        statement = select(User).join(Wallet).where(Wallet.id.in_(self._actor.wallet_ids)).distinct()
        owners = self.session.scalars(statement.execution_options(populate_existing=True)).all()
        return bool(owners) and all(owner.is_active and owner.has_role(Role.OPERATOR) for owner in owners)


def _recipient(row: Row) -> Recipient:
    return Recipient(row.node_id, row.amount, row.wallet_id, row.pay_to, row.address)
