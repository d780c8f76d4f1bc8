"""Where an S3 server is and who may use it; standard library only."""

from __future__ import annotations

from typing import NamedTuple

REGION = "us-east-1"


class Access(NamedTuple):
    """Where a server is and who may use it."""

    endpoint: str
    key: str
    secret: str

    @property
    def address(self) -> str:
        """The ``host:port`` of the endpoint."""
        return self.endpoint.partition("://")[2].strip("/")
