"""How to connect to a WebHDFS or HttpFS server. Where it is and who connects is the URL's: ``webhdfs://user@host:port/path``."""

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class WebHdfsOptions(BaseModel):
    """Settings of the connection; all have defaults. The scheme ``webhdfs+https`` in the URL asks for TLS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authentication: Literal["simple", "basic", "kerberos"] = Field(
        "simple",
        description="simple: the URL's user is believed; basic: user and password; kerberos: the ticket of kinit or a keytab.",
    )
    password: SecretStr | None = Field(
        None, description="Of basic authentication; DATAHUB_WEBHDFS__PASSWORD keeps it out of files."
    )
    ca_file: Path | None = Field(
        None, description="Certificates that a TLS server is checked against; the system's when left out."
    )
    connect_seconds: float = Field(
        10, gt=0, description="A server that does not take a connection for so long is not there."
    )
    answer_seconds: float = Field(
        60, gt=0, description="A server that neither takes nor sends a byte for so long does not answer."
    )
    patience_seconds: float = Field(
        120, ge=0, description="What is safe to repeat is repeated for so long: a restart or a failover of the server."
    )
    uploads: int = Field(5, ge=1, description="An upload that is cut is begun anew, so many times in all.")
    read_back: bool = Field(
        True, description="Each published file is read back and its SHA-256 compared; otherwise its length only."
    )

    @model_validator(mode="after")
    def _password_goes_with_basic(self) -> Self:
        if (self.authentication == "basic") != (self.password is not None):
            raise ValueError("authentication basic needs a password, and no other takes one")
        return self

    def plain(self) -> str:
        """As JSON, secrets included: for whoever connects, not for people."""
        shown = self.model_dump(mode="json", exclude_defaults=True)
        if self.password is not None:
            shown["password"] = self.password.get_secret_value()
        return json.dumps(shown, sort_keys=True)
