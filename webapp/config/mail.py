"""The section of the settings about e-mail: through which server notices go out, and where their links lead."""

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from webapp.config.sections import Section, web_address

OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class MailSettings(Section):
    """E-mail. Without a `host` none is sent. `security` is how the connection is encrypted: `starttls` on port 587 as
    a rule, `tls` on 465, and `none` only where nobody listens.
    """

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = ""
    base_url: str = ""
    digest_minutes: int = Field(60, ge=1, le=10_080)

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return web_address(value).rstrip("/")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.host:
            return self
        if "@" not in self.sender:
            raise ValueError("sender: must be the address that mail comes from")
        if not self.base_url:
            raise ValueError("base_url: is needed for the links in mail")
        if self.user and self.security == "none" and self.host not in OWN_MACHINE:
            raise ValueError("security: a password is not sent to another machine unencrypted")
        return self
