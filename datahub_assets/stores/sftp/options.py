"""How to connect to an SFTP server. Where it is and who connects is the URL's: ``sftp://user@host:22/folder``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class SftpOptions(BaseModel):
    """Settings of the connection; all have defaults. A server whose key is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path | None = Field(
        None, description="Private key of the user; the SSH agent's and ~/.ssh's when left out."
    )
    password: SecretStr | None = Field(
        None, description="Of the user, or of the key; DATAHUB_SFTP__PASSWORD keeps it out of files."
    )
    known_hosts: Path | None = Field(
        None, description="Keys of servers that are trusted; ~/.ssh/known_hosts when left out."
    )
    connect_seconds: float = Field(
        10, gt=0, description="A server that does not take a connection for so long is not there."
    )
    answer_seconds: float = Field(60, gt=0, description="A server that sends nothing for so long does not answer.")
    patience_seconds: float = Field(30, ge=0, description="A connection that broke is made again for so long.")
