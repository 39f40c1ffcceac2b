"""Typed settings: instance/config.yaml, overridden by the environment, with secrets made on first use.

`DUXOS_SECTION__KEY` overrides a key; `DUXOS_INSTANCE_PATH` names the instance folder. An unknown key or a bad value
raises ConfigurationError that names it. Amounts of FLOP may be written as numbers or text.
"""

import os
import secrets as random
from pathlib import Path
from typing import Any, Self

import yaml
from cryptography.fernet import Fernet
from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from webapp.config.dispute_section import DisputeSettings
from webapp.config.evidence import EvidenceSettings
from webapp.config.mail import MailSettings
from webapp.config.sections import (
    CommunityFundSettings,
    CustodySettings,
    DatabaseSettings,
    EscrowSettings,
    LiveSettings,
    NodeSettings,
    NoticeSettings,
    RpcSettings,
    SecuritySettings,
    WalletSettings,
    WorkerSettings,
)
from webapp.domain.addresses import check_address
from webapp.domain.exceptions import ConfigurationError, InvalidAddressError

__all__ = [
    "CommunityFundSettings",
    "CustodySettings",
    "DatabaseSettings",
    "DisputeSettings",
    "EscrowSettings",
    "EvidenceSettings",
    "LiveSettings",
    "MailSettings",
    "NodeSettings",
    "NoticeSettings",
    "RpcSettings",
    "SecuritySettings",
    "Settings",
    "WalletSettings",
    "WorkerSettings",
    "load_config",
]

ENVIRONMENT_PREFIX = "DUXOS_"
INSTANCE_VARIABLE = "DUXOS_INSTANCE_PATH"
CONFIG_FILE = "config.yaml"
SECRETS_FILE = "secrets.yaml"


class Settings(BaseSettings):
    """All settings of one instance."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    instance_path: Path
    rpc: RpcSettings = RpcSettings()
    community_fund: CommunityFundSettings = CommunityFundSettings()
    nodes: NodeSettings = NodeSettings()
    security: SecuritySettings
    wallet: WalletSettings = WalletSettings()
    custody: CustodySettings = CustodySettings()
    escrow: EscrowSettings = EscrowSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    disputes: DisputeSettings = DisputeSettings()
    database: DatabaseSettings = DatabaseSettings()
    worker: WorkerSettings = WorkerSettings()
    live: LiveSettings = LiveSettings()
    notices: NoticeSettings = NoticeSettings()
    mail: MailSettings = MailSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _is_cold_address_payable(self) -> Self:
        address = self.custody.cold_address
        if address is not None:
            try:
                check_address(address, self.wallet.network)
            except InvalidAddressError as error:
                raise ValueError(f"custody.cold_address: {error.fields['address']}") from None
        return self

    @property
    def database_url(self) -> str:
        """The configured URL, or SQLite in the instance folder."""
        return self.database.url or f"sqlite:///{self.instance_path / 'escrow.db'}"

    @property
    def evidence_folder(self) -> Path:
        """Where the files of disputes lie sealed: never below what is served."""
        return Path(self.evidence.folder) if self.evidence.folder else self.instance_path / "evidence"


def instance_folder() -> Path:
    """$DUXOS_INSTANCE_PATH, or `instance/` beside the package."""
    named = os.environ.get(INSTANCE_VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parent.parent.parent / "instance"


def load_config(path: str | Path | None = None) -> Settings:
    """The settings of an instance. `path` is its config.yaml; without one, the instance folder's, which may be missing.

    Makes the folder and its secrets on first use (mode 0700 and 0600). Raises ConfigurationError.
    """
    file = Path(path).resolve() if path else instance_folder() / CONFIG_FILE
    if path and not file.exists():
        raise ConfigurationError(f"there is no configuration file {file}")
    folder = file.parent
    _keep_private(folder)
    values = _merged(_secrets(folder), _read_yaml(file) if file.exists() else {})
    _refuse_unknown_variables()
    try:
        return Settings(**{**values, "instance_path": folder})
    except ValidationError as error:
        raise ConfigurationError(_explanation(error)) from None


def _keep_private(folder: Path) -> None:
    """Make the folder if need be, and close it to everybody else: databases and passwords lie in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.stat()
    if state.st_uid == os.geteuid() and state.st_mode & 0o077:
        folder.chmod(0o700)


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file.name} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{file.name} must be a mapping of sections")
    # A section whose keys are all commented out reads as null: it says nothing, so the defaults stand.
    return {key: value for key, value in content.items() if value is not None}


def _secrets(folder: Path) -> dict[str, Any]:
    file = folder / SECRETS_FILE
    if not file.exists():
        content = {
            "security": {
                "secret_key": random.token_urlsafe(48),
                "encryption_keys": [Fernet.generate_key().decode()],
            }
        }
        draft = folder / f".{SECRETS_FILE}.{random.token_hex(8)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            yaml.safe_dump(content, stream)
        try:
            os.link(draft, file)  # Only one of several starting processes succeeds; the others read its file.
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return _read_yaml(file)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both_sections = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both_sections else value
    return result


def _refuse_unknown_variables() -> None:
    sections = {name.upper() for name in Settings.model_fields if name != "instance_path"}
    for variable in os.environ:
        if not variable.upper().startswith(ENVIRONMENT_PREFIX) or variable == INSTANCE_VARIABLE:
            continue
        section, separator, key = variable.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")
        if section not in sections or not separator or not key:
            raise ConfigurationError(f"the environment variable {variable} names no setting")


def _explanation(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "there is no such key"
        # What concerns several sections names its key itself.
        lines.append(f"{key}: {message}" if key else message)
    return "; ".join(lines)
