"""Typed settings: instance/config.yaml, overridden by the environment, with secrets made on first use.

`DUXOS_SECTION__KEY` overrides a key; `DUXOS_INSTANCE_PATH` names the instance folder. An unknown key or a bad value
raises ConfigurationError that names it. Amounts of FLOP may be written as numbers or text.
"""

import os
import secrets as random
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from webapp.domain.exceptions import ConfigurationError, InvalidAmountError
from webapp.domain.money import MAX_BASE_UNITS, Amount

ENVIRONMENT_PREFIX = "DUXOS_"
INSTANCE_VARIABLE = "DUXOS_INSTANCE_PATH"
CONFIG_FILE = "config.yaml"
SECRETS_FILE = "secrets.yaml"


def _amount(value: Any) -> Amount:
    try:
        return Amount.parse(value)
    except InvalidAmountError as error:
        raise ValueError(error.fields.get("amount", error.detail)) from None


FlopAmount = Annotated[Amount, PlainValidator(_amount)]


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RpcSettings(Section):
    """How to reach the coin daemon."""

    host: str = "127.0.0.1"
    port: int = Field(32553, ge=1, le=65535)
    user: str = "flopcoinrpc"
    password: SecretStr = SecretStr("")
    timeout: int = Field(30, ge=1, le=600)
    retry_attempts: int = Field(3, ge=0, le=20)
    pool_size: int = Field(4, ge=1, le=8)


class CommunityFundSettings(Section):
    """When and to how many the community fund is given back."""

    airdrop_threshold: FlopAmount = Amount.parse(100)
    min_airdrop_amount: FlopAmount = Amount.parse(1)
    airdrop_interval_hours: int = Field(24, ge=1)
    max_airdrop_nodes: int = Field(1000, ge=1)


class SecuritySettings(Section):
    """Authentication, rate limits, and the secrets of this instance."""

    enable_rate_limiting: bool = True
    max_requests_per_minute: int = Field(60, ge=1)
    require_authentication: bool = True
    session_timeout_minutes: int = Field(30, ge=1)
    rate_limit_storage_url: str = "memory://"
    trusted_proxies: int = Field(0, ge=0, le=5)
    cookie_secure: bool = False
    password_memory_kib: int = Field(65536, ge=32)
    password_rounds: int = Field(3, ge=1)
    secret_key: SecretStr
    encryption_keys: list[SecretStr] = Field(min_length=1)

    @field_validator("require_authentication")
    @classmethod
    def _never_off(cls, value: bool) -> bool:
        if not value:
            raise ValueError("cannot be switched off: this service moves money")
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_fernet_keys(cls, value: list[SecretStr]) -> list[SecretStr]:
        for key in value:
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError("each must be 32 bytes in URL-safe base64") from None
        return value


class WalletSettings(Section):
    """Deposits, payouts and their fees."""

    network: Literal["main", "test", "regtest"] = "regtest"
    confirmations_required: int = Field(6, ge=1, le=1000)
    payout_confirmations: int = Field(6, ge=1, le=1000)
    fee_rate_per_kb: FlopAmount = Amount.parse("0.01")
    max_fee_rate_per_kb: FlopAmount = Amount.parse("0.1")
    max_fee_per_transaction: FlopAmount = Amount.parse(1)
    max_fee_per_payout: FlopAmount = Amount.parse("0.05")
    dust_limit: FlopAmount = Amount.parse("0.01")
    fee_paid_by: Literal["recipient", "fund"] = "recipient"
    max_payouts_per_transaction: int = Field(500, ge=1, le=2000)
    payout_lease_seconds: int = Field(120, ge=5)
    address_pool_size: int = Field(20, ge=1, le=10000)
    passphrase: SecretStr | None = None

    @property
    def min_payout(self) -> Amount:
        """The least a payout may be: what is left after the highest fee is still above dust."""
        return self.dust_limit + self.max_fee_per_payout


class EscrowSettings(Section):
    """What an escrow may be, and its clocks."""

    min_amount: FlopAmount = Amount(1)
    max_amount: FlopAmount = Amount(MAX_BASE_UNITS)
    fund_basis_points: int = Field(500, ge=0, le=10_000)
    default_deadline_hours: int = Field(168, ge=1)
    max_deadline_hours: int = Field(8760, ge=1)
    acceptance_window_hours: int = Field(72, ge=1)
    max_metadata_bytes: int = Field(4096, ge=2)


class DatabaseSettings(Section):
    """Where the rows are. An empty URL is SQLite in the instance folder."""

    url: str = ""
    pool_size: int = Field(8, ge=1, le=200)

    @field_validator("url")
    @classmethod
    def _is_supported(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
        return value


class WorkerSettings(Section):
    """The clockwork of `flask worker`."""

    tick_seconds: int = Field(2, ge=1, le=3600)
    integrity_check_minutes: int = Field(10, ge=1)


class Settings(BaseSettings):
    """All settings of one instance."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    instance_path: Path
    rpc: RpcSettings = RpcSettings()
    community_fund: CommunityFundSettings = CommunityFundSettings()
    security: SecuritySettings
    wallet: WalletSettings = WalletSettings()
    escrow: EscrowSettings = EscrowSettings()
    database: DatabaseSettings = DatabaseSettings()
    worker: WorkerSettings = WorkerSettings()

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

    @property
    def database_url(self) -> str:
        """The configured URL, or SQLite in the instance folder."""
        return self.database.url or f"sqlite:///{self.instance_path / 'escrow.db'}"


def instance_folder() -> Path:
    """$DUXOS_INSTANCE_PATH, or `instance/` beside the package."""
    named = os.environ.get(INSTANCE_VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parent.parent / "instance"


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
        lines.append(f"{key}: {'there is no such key' if problem['type'] == 'extra_forbidden' else message}")
    return "; ".join(lines)
