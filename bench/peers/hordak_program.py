"""The same postings as an escrow's by django-hordak, without HTTP. The interpreter of hordak's environment runs this.

    python hordak_program.py PORT DATABASE CLIENTS SECONDS

Prints lifecycles a second: a transaction that holds the payer's money, and one that pays provider and fund.
"""

# mypy: ignore-errors
from __future__ import annotations

import multiprocessing
import os
import random
import sys
import time
from decimal import Decimal

import django
from django.conf import settings

ACCOUNTS, EACH = 1000, 10**9
APPS = ("django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak")


def main() -> None:
    """Make the schema and the accounts, drive, print."""
    port, database, clients, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    place = {"ENGINE": "django.db.backends.postgresql", "NAME": database, "USER": "postgres"}
    settings.configure(
        DATABASES={"default": {**place, "HOST": "127.0.0.1", "PORT": port}},
        INSTALLED_APPS=APPS,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DEFAULT_CURRENCY="EUR",
        CURRENCIES=["EUR"],
        HORDAK_DECIMAL_PLACES=2,
        SECRET_KEY="bench",  # noqa: S106 - nothing is signed
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    numbers = _accounts()
    from django.db import connections

    connections.close_all()
    answers = multiprocessing.get_context("fork").Queue()
    processes = [
        multiprocessing.get_context("fork").Process(target=_client, args=(numbers, number, seconds, answers))
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    print(sum(answers.get() for _ in processes))
    for process in processes:
        process.join()


def _accounts() -> list[int]:
    """Keys: of the wallets, then of what is held, and of the fund."""
    from hordak.models import Account

    names = [*(f"wallet {number}" for number in range(ACCOUNTS)), "held", "fund"]
    return [
        Account.objects.create(name=name, code=str(number), type="LI", currencies=["EUR"]).pk
        for number, name in enumerate(names)
    ]


def _client(numbers: list[int], seed: int, seconds: float, answers: multiprocessing.Queue) -> None:
    from hordak.models import Account

    accounts = Account.objects.in_bulk(numbers)
    *wallets, held, fund = (accounts[number] for number in numbers)
    chooser, count, began = random.Random(seed), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        payer, provider = chooser.sample(wallets, 2)
        amount = Decimal(chooser.randint(100, 10_000)) / 5
        _move(payer, {held: amount})
        fee = amount / 20
        _move(held, {provider: amount - fee, fund: fee})
        count += 1
    answers.put(count / (time.perf_counter() - began))
    answers.close()
    answers.join_thread()
    os._exit(0)


def _move(source, destinations) -> None:  # type: ignore[no-untyped-def]
    from django.db import transaction
    from hordak.models import Leg, Transaction

    with transaction.atomic():
        entry = Transaction.objects.create()
        Leg.objects.create(transaction=entry, account=source, debit=sum(destinations.values()))
        for account, amount in destinations.items():
            Leg.objects.create(transaction=entry, account=account, credit=amount)


if __name__ == "__main__":
    main()
