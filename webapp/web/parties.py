"""What the two sides of an escrow are called to whoever reads about it."""

from __future__ import annotations

from flask_babel import gettext as _

from webapp.domain.roles import Actor


def wallet_name(wallet_id: int, actor: Actor) -> str:
    """What a wallet is called to this reader: "you", or its number."""
    return _("you") if wallet_id in actor.wallet_ids else _("wallet %(number)s", number=wallet_id)


def is_reader(name: str) -> bool:
    """Whether a name is the reader's own: languages have sentences of their own for "you", not only a word."""
    return name == _("you")


def at_the_beginning(name: str) -> str:
    """A name, or any other words, as a sentence begins with it."""
    return name[:1].upper() + name[1:]


def as_sentence(text: str) -> str:
    """Words as a sentence of their own, with one full stop. Empty ones stay empty."""
    return f"{at_the_beginning(text.rstrip('.'))}." if text else ""
