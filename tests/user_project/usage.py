"""A user's code; type checkers report ``assert_type`` if a type is not exact."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import assert_type

import herokuify
from herokuify import env
from herokuify.aws import AWS_STORAGE_BUCKET_NAME, get_static_url, read_aws
from herokuify.celery import get_celery_config
from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.routers import ReplicaRouter
from herokuify.storage import S3MediaStorage

assert_type(herokuify.__version__, str)
assert_type(herokuify.get_db_config(), dict[str, dict[str, Any]])
assert_type(herokuify.get_cache_config(), dict[str, dict[str, Any]])
assert_type(get_celery_config(), dict[str, Any])
assert_type(AWS_STORAGE_BUCKET_NAME, str | None)
assert_type(get_static_url("assets"), str)
assert_type(read_aws({}), dict[str, str | bool | None])


def read(environ: Mapping[str, str]) -> int:
    """Read variables, whose types depend on the converter."""
    assert_type(env.read(environ, "NAME"), str | None)
    assert_type(env.read(environ, "NAMES", convert=env.comma_list), list[str] | None)
    assert_type(env.require(environ, "NAME", needed_by="me"), dict[str, str])
    assert_type(env.get_stage(environ), env.Stage)
    return env.read(environ, "NUMBER", convert=env.integer) or 0


class Photos(S3MediaStorage):
    """A storage of the user's own."""

    location = "photos"


def remove(storage: Photos, names: list[str]) -> bool:
    """Call a method that Django's storages don't have."""
    try:
        storage.delete_many(names)
    except (ConfigurationError, S3Error) as error:
        assert_type(str(error), str)
        return False
    return assert_type(storage.url("photo.png"), str) != ""


class Router(ReplicaRouter):
    """A router of the user's own."""

    primary_apps = ReplicaRouter.primary_apps | {"basket"}
