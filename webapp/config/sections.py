"""The sections of the settings: every key, its type, its bounds and its default. Amounts are FLOP."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.money import MAX_BASE_UNITS, ZERO, Amount


def _amount(value: Any) -> Amount:
    try:
        return Amount.parse(value)
    except InvalidAmountError as error:
        raise ValueError(error.fields.get("amount", error.detail)) from None


def web_address(value: str) -> str:
    """The value if it is empty or an address of the web. Raises ValueError."""
    parts = urlsplit(value)
    if value and not (parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError("must be empty, or begin with http:// or https:// and name a host")
    return value


def _amount_or_zero(value: Any) -> Amount:
    return ZERO if value in (0, "0", ZERO) else _amount(value)


FlopAmount = Annotated[Amount, PlainValidator(_amount)]
FlopAmountOrZero = Annotated[Amount, PlainValidator(_amount_or_zero)]


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
    """When the community fund is given back, to which nodes, and who may read about it.

    All but the last two are the rules that hold until operators change them, with notice. `waiting_period_hours` of
    None is a day, and nothing on regtest, where coins are worth nothing.
    """

    airdrop_threshold: FlopAmount = Amount.parse(100)
    min_airdrop_amount: FlopAmount = Amount.parse(1)
    airdrop_interval_hours: int = Field(24, ge=1, le=8760)
    max_airdrop_nodes: int = Field(1000, ge=1, le=10_000)
    airdrop_shares: Literal["equal", "reputation"] = "equal"
    max_nodes_per_owner: int = Field(5, ge=1, le=10_000)
    waiting_period_hours: int | None = Field(None, ge=0, le=8760)
    min_settled_escrows: int = Field(1, ge=0, le=1_000_000)
    min_settled_amount: FlopAmountOrZero = Amount.parse(20)
    settled_within_days: int = Field(30, ge=1, le=180)
    rule_notice_hours: int = Field(72, ge=0, le=8760)
    is_public: bool = False


class NodeSettings(Section):
    """How nodes show that they are there, what their work is worth, and where else nodes are registered."""

    heartbeat_seconds: int = Field(30, ge=1, le=3600)
    late_after_seconds: int = Field(90, ge=1, le=86_400)
    offline_after_seconds: int = Field(300, ge=1, le=604_800)
    secret_overlap_hours: int = Field(24, ge=0, le=720)
    reputation_half_life_days: int = Field(30, ge=1, le=180)
    counted_from_amount: FlopAmountOrZero = Amount.parse(1)
    directory_url: str = ""
    directory_timeout: int = Field(10, ge=1, le=120)
    directory_cache_seconds: int = Field(60, ge=0, le=3600)

    @property
    def health_windows(self) -> tuple[int, int]:
        """After how many seconds of silence a node is late, and after how many offline."""
        return self.late_after_seconds, self.offline_after_seconds

    @field_validator("late_after_seconds", "offline_after_seconds")
    @classmethod
    def _is_later(cls, value: int, info: ValidationInfo) -> int:
        earlier = "late_after_seconds" if "late_after_seconds" in info.data else "heartbeat_seconds"
        if value <= info.data.get(earlier, 0):
            raise ValueError(f"must be more than nodes.{earlier}")
        return value

    @field_validator("directory_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return web_address(value)


class SecuritySettings(Section):
    """Authentication, rate limits, and the secrets of this instance."""

    enable_rate_limiting: bool = True
    max_requests_per_minute: int = Field(60, ge=1)
    max_batched_operations_per_minute: int = Field(6000, ge=1000)
    require_authentication: bool = True
    session_timeout_minutes: int = Field(30, ge=1)
    confirmed_for_minutes: int = Field(15, ge=0, le=1440)
    rate_limit_storage_url: str = "memory://"
    trusted_proxies: int = Field(0, ge=0, le=5)
    cookie_secure: bool = False
    password_memory_kib: int = Field(65536, ge=32)
    password_rounds: int = Field(3, ge=1)
    metrics_token: SecretStr | None = None
    secret_key: SecretStr
    encryption_keys: list[SecretStr] = Field(min_length=1)

    @field_validator("require_authentication")
    @classmethod
    def _never_off(cls, value: bool) -> bool:
        if not value:
            raise ValueError("cannot be switched off: this service moves money")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters, or be null")
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


class ConfirmationStep(Section):
    """Deposits from `amount` FLOP on are credited after `confirmations`."""

    amount: FlopAmount
    confirmations: int = Field(ge=1, le=1000)


class WalletSettings(Section):
    """Deposits, payouts and their fees."""

    network: Literal["main", "test", "regtest"] = "regtest"
    confirmations_required: int = Field(6, ge=1, le=1000)
    confirmations_by_amount: tuple[ConfirmationStep, ...] = (
        ConfirmationStep(amount=Amount.parse(100_000), confirmations=20),
        ConfirmationStep(amount=Amount.parse(1_000_000), confirmations=60),
    )
    payout_confirmations: int = Field(6, ge=1, le=1000)
    fee_rate_per_kb: FlopAmount = Amount.parse("0.01")
    max_fee_rate_per_kb: FlopAmount = Amount.parse("0.1")
    max_fee_per_transaction: FlopAmount = Amount.parse(1)
    max_fee_per_payout: FlopAmount = Amount.parse("0.05")
    dust_limit: FlopAmount = Amount.parse("0.01")
    fee_paid_by: Literal["recipient", "fund"] = "recipient"
    max_payouts_per_transaction: int = Field(500, ge=1, le=2000)
    batch_min_payouts: int = Field(1, ge=1, le=2000)
    batch_max_wait_seconds: int = Field(600, ge=0)
    merge_above_coins: int = Field(500, ge=2)
    merge_inputs: int = Field(400, ge=2, le=600)
    payout_lease_seconds: int = Field(120, ge=5)
    address_pool_size: int = Field(20, ge=1, le=10000)
    passphrase: SecretStr | None = None

    @property
    def min_payout(self) -> Amount:
        """The least a payout may be: what is left after the highest fee is still above dust."""
        return self.dust_limit + self.max_fee_per_payout


class CustodySettings(Section):
    """Limits on what leaves, and where the larger part of the coins is kept. None switches a limit off."""

    daily_withdrawal_limit: FlopAmount | None = None
    approval_above: FlopAmount | None = None
    hot_wallet_ceiling: FlopAmount | None = None
    hot_wallet_target: FlopAmount | None = None
    cold_address: str | None = Field(None, validate_default=True)
    solvency_interval_hours: int = Field(24, ge=1)

    @field_validator("hot_wallet_target")
    @classmethod
    def _is_below_the_ceiling(cls, value: Amount | None, info: ValidationInfo) -> Amount | None:
        ceiling = info.data.get("hot_wallet_ceiling")
        if value is not None and (ceiling is None or value >= ceiling):
            raise ValueError("must be below custody.hot_wallet_ceiling, which has to be set")
        return value

    @field_validator("cold_address")
    @classmethod
    def _takes_what_is_above_the_ceiling(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("hot_wallet_ceiling") is not None:
            raise ValueError("is needed for custody.hot_wallet_ceiling: coins above it are sent there")
        return value

    @property
    def sweep_target(self) -> Amount | None:
        """What a sweep leaves in the daemon, besides what waiting payouts need; None without a ceiling."""
        if self.hot_wallet_ceiling is None:
            return None
        return self.hot_wallet_target or Amount(self.hot_wallet_ceiling.base_units * 4 // 5)


class EscrowSettings(Section):
    """What an escrow may be, and its clocks."""

    min_amount: FlopAmount = Amount(1)
    max_amount: FlopAmount = Amount(MAX_BASE_UNITS)
    fund_basis_points: int = Field(500, ge=0, le=10_000)
    default_deadline_hours: int = Field(168, ge=1)
    max_deadline_hours: int = Field(8760, ge=1)
    acceptance_window_hours: int = Field(72, ge=1)
    default_funding_hours: int = Field(24, ge=1)
    max_metadata_bytes: int = Field(4096, ge=2)
    max_result_size: int = Field(1_048_576, ge=1, le=8_388_608)


class DatabaseSettings(Section):
    """Where the rows are. An empty URL is SQLite in the instance folder.

    `pool_size` is how many connections to PostgreSQL a process has for sessions at most, and as many again for the
    statements that do without.
    """

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
    outage_after_seconds: int = Field(20, ge=5)
    site_url: str = ""

    @field_validator("site_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return web_address(value)


class LiveSettings(Section):
    """The streams that tell open pages what has changed. Each occupies a thread of the process that serves it."""

    streams_per_process: int = Field(32, ge=0, le=10_000)
    streams_per_user: int = Field(4, ge=1, le=1000)
    heartbeat_seconds: int = Field(15, ge=1, le=300)


class NoticeSettings(Section):
    """What people are told in their inboxes."""

    kept_days: int = Field(90, ge=1, le=3650)
