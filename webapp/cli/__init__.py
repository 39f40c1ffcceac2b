"""The command line: `flask --app wsgi ...`. One module per group of commands."""

from __future__ import annotations

from webapp.cli.alerts import alert_commands
from webapp.cli.case_files import case_file_commands
from webapp.cli.coins import coin_commands
from webapp.cli.custody import custody_commands
from webapp.cli.dev import dev_command
from webapp.cli.flopcoin import flopcoin_commands
from webapp.cli.fund_rules import fund_commands
from webapp.cli.keys import key_commands
from webapp.cli.languages import language_commands
from webapp.cli.ledger import ledger_check
from webapp.cli.mail import mail_commands
from webapp.cli.nodes import node_commands
from webapp.cli.payouts import payout_commands
from webapp.cli.reputation import reputation_commands
from webapp.cli.solvency import solvency_commands
from webapp.cli.users import user_commands
from webapp.cli.wallets import wallet_commands
from webapp.cli.worker import worker_command

COMMANDS = (
    user_commands,
    key_commands,
    node_commands,
    reputation_commands,
    wallet_commands,
    payout_commands,
    custody_commands,
    alert_commands,
    coin_commands,
    mail_commands,
    solvency_commands,
    case_file_commands,
    fund_commands,
    flopcoin_commands,
    language_commands,
    ledger_check,
    worker_command,
    dev_command,
)
