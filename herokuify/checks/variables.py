"""Config vars that are incomplete or set too late, and AWS_* settings that are wrong or obsolete.

If an add-on's variables are incomplete, herokuify.aws raises an error when it is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.management import get_commands

from herokuify import env, logs
from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.conf import addons, hosts
from herokuify.conf.addons import KEYS
from herokuify.conf.addresses import has_login
from herokuify.exceptions import ConfigurationError
from herokuify.legacy import successor
from herokuify.storage.options import ENDPOINTS, wrong_settings
from herokuify.storage.registry import s3_registered, s3_storages

BUCKET = "AWS_STORAGE_BUCKET_NAME"
#: Variables that only S3 uses, and only with a bucket.
FOR_A_BUCKET = (*KEYS, "AWS_S3_ENDPOINT_URL", "AWS_S3_CUSTOM_DOMAIN", "AWS_LOCATION")
#: Variables by which boto3 itself finds credentials (its documentation, "Credentials").
ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "BOTO_CONFIG",
)
#: The fragments that read variables when they are imported, other modules whose variables they
#: read, and the function that reads them.
FRAGMENTS = (
    ("herokuify.common", (hosts, logs), "read_common"),
    ("herokuify.aws", (addons,), "read_aws"),
)
FILES = ("~/.aws/credentials", "~/.aws/config", "~/.boto", "/etc/boto.cfg")


def check_credentials(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E003: on a platform, a storage on S3 has no credentials."""
    stage = env.get_stage(os.environ)
    if stage not in env.DEPLOYED or _may_be_elsewhere():
        return []
    if env.get_platform(os.environ) is None:  # an EC2 instance may have a role
        return []
    return unique(
        error(
            f"{env.listed(KEYS)} are not set, and {one.kind.__name__} needs them to reach S3.",
            hint=env.config_set(KEYS, os.environ),
            id="herokuify.E003",
        )
        for one, storage in s3_storages()
        if storage.bucket_name
        and not (storage.access_key or storage.secret_key or storage.session_profile)
        and isinstance(storage.signature_version, str)  # the other value is botocore's UNSIGNED
        # Outside of builds, only signed URLs need credentials.
        and (stage is env.Stage.BUILD or not (storage.public or not storage.querystring_auth))
    )


def _may_be_elsewhere() -> bool:
    paths = (Path(os.path.expanduser(name)) for name in FILES)  # noqa: PTH111  (HOME may be unset)
    return env.is_set(os.environ, *ELSEWHERE) or any(os.path.exists(path) for path in paths)  # noqa: PTH110


def check_bucket(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W007: on a deployed site, variables for S3 are set, but no bucket."""
    if env.get_stage(os.environ) not in env.DEPLOYED or not hasattr(settings, BUCKET):
        return []
    found = [name for name in FOR_A_BUCKET if env.is_set(os.environ, name)]
    if not found or getattr(settings, BUCKET) or s3_registered():
        return []
    verb = "is" if len(found) == 1 else "are"
    return [
        CheckWarning(
            f"{env.listed(found)} {verb} set, but {BUCKET} is not: no files are stored on S3.",
            hint=f"{env.config_set([BUCKET])}, or heroku config:unset {' '.join(found)}",
            id="herokuify.W007",
        )
    ]


def check_order(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E011: variables were set after a fragment had read them."""
    found = []
    for fragment, others, reader in FRAGMENTS:
        module = sys.modules.get(fragment)
        if module is None:
            continue
        variables = [
            variable for one in (module, *others) for variable in getattr(one, "VARIABLES", ())
        ]
        late = list(_late(module, variables, getattr(module, reader)))
        if late:
            verb = "was" if len(late) == 1 else "were"
            found.append(
                error(
                    f"{env.listed(late)} {verb} set after {fragment} was imported, which reads "
                    "the environment only then, so this has no effect.",
                    hint="Load the .env file at the top of the settings file, above "
                    f"`from {fragment} import *`.",
                    id="herokuify.E011",
                )
            )
    return found


def _late(
    module: Any,
    variables: list[env.Variable],
    reader: Callable[[Mapping[str, str]], Mapping[str, object]],
) -> Iterator[str]:
    """Yield variables that were set later, and would change one of the fragment's settings."""
    try:
        now = reader(os.environ)
    except ConfigurationError:
        now = None
    for variable in variables:
        for name in variable.names_set(os.environ)[:1]:
            if name not in module.SET_AT_IMPORT and any(
                getattr(settings, setting, None) == getattr(module, setting, None)
                and (now is None or now.get(setting) != getattr(module, setting, None))
                for setting in variable.settings
            ):
                yield name


def check_endpoint(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E012: the endpoint contains a password, although endpoints are shown."""
    faulty = {name: has_login(getattr(settings, name, None)) for name in ENDPOINTS}
    names = [name for name, is_faulty in faulty.items() if is_faulty]
    for one, storage in s3_storages():
        # Options usually get the value from the setting, so they are not reported as well.
        names += [
            f"The option {option} of {one.setting}"
            for name, option in ENDPOINTS.items()
            if option in storage.logins and not faulty[name]
        ]
    return [
        error(
            f"{name} contains a user and a password, which S3 doesn't use. Endpoints are not "
            "secret: commands print them.",
            hint=f'In settings.py: {_setting(name)} = "https://…", without the part before @; the '
            f"access key belongs in {env.listed(KEYS)}.",
            id="herokuify.E012",
        )
        for name in names
    ]


def _setting(name: str) -> str:
    return name if name in ENDPOINTS else name.split()[2]


def check_switches(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E013: settings have the wrong type, such as the text "False", which is true."""
    return [error(text, hint=hint, id="herokuify.E013") for text, hint in wrong_settings()]


def check_obsolete(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W020: settings of boto and of collectfasta, which nothing reads."""
    is_ours = get_commands().get("collectstatic") == "herokuify"
    found = {
        name: new
        for name in dir(settings)
        if (new := successor(name)) is not None and (is_ours or not name.startswith("COLLECT"))
    }
    if not found:
        return []
    verb = "has" if len(found) == 1 else "have"
    renamed = [f"{new} in place of {name}" for name, new in found.items() if new]
    return [
        CheckWarning(
            f"{env.listed(found)} {verb} no effect: neither herokuify nor django-storages reads "
            f"{'it' if len(found) == 1 else 'them'}.",
            hint=f"Delete {env.listed(found)} from the settings."
            + (f" If you need it, set {env.listed(renamed)}." if renamed else ""),
            id="herokuify.W020",
        )
    ]
