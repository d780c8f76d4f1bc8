"""The way to the bucket, and the rights in it: on moto, on Ceph, and with answers as AWS's."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from pytest_django import Settings

from tests import replay
from tests.doctor.conftest import (
    MEDIA,
    PUBLIC,
    STATIC,
    Diagnose,
    contents,
    deny,
    policy,
)
from tests.fault_proxy import always
from tests.replay import Answer, Document, Fault, Proxy, Request
from tests.servers import S3Server
from tests.storage.conftest import Connect, client_of
from tests.storage.helpers import on_ceph

pytestmark = pytest.mark.no_django

STEPS = ("s3.connection", "s3.region", "s3.clock", "s3.credentials", "s3.bucket")
OBJECTS = ("s3.list", "s3.put", "s3.conditional-put", "s3.get", "s3.delete")
KEYS = "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"


def test_all_is_well(ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
    found = diagnose()
    assert found.failed == []
    assert found.warned == []
    assert found.states(*STEPS) == ["ok"] * 5
    assert found.states(*OBJECTS, subject="'default'") == ["ok"] * 5
    assert found.states(*OBJECTS, subject="'staticfiles'") == ["ok", "ok", "skipped", "ok", "ok"]
    names = ("static.public", "static.cors", "media.url", "media.private")
    assert found.states(*names) == ["ok"] * 4
    assert contents(ready, bucket) == []
