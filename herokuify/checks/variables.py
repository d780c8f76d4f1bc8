"""Config vars that are set in part or too late, and AWS_* settings of the wrong type.

herokuify.aws refuses half an add-on's variables when it is imported.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from herokuify import env, logs
from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.conf import addons, hosts
from herokuify.exceptions import ConfigurationError
from herokuify.storage.registry import s3_registered, s3_storages

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
BUCKET = "AWS_STORAGE_BUCKET_NAME"
#: What nothing but S3 has a use for, and S3 only with a bucket.
FOR_A_BUCKET = (*KEYS, "AWS_S3_ENDPOINT_URL", "AWS_S3_CUSTOM_DOMAIN", "AWS_LOCATION")
#: Where boto3 finds credentials without herokuify (its documentation, "Credentials").
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
#: The fragments that read variables when they are imported: each with the modules whose variables
#: those are, and its function that reads them.
FRAGMENTS = (
    ("herokuify.common", (hosts, logs), "read_common"),
    ("herokuify.aws", (addons,), "read_aws"),
)
#: Text is true for Python, whatever it says. AWS_S3_VERIFY may be a path, too.
SWITCHES = (
    "AWS_AUTO_CREATE_BUCKET",
    "AWS_IS_GZIPPED",
    "AWS_QUERYSTRING_AUTH",
    "AWS_S3_FILE_OVERWRITE",
    "AWS_S3_USE_SSL",
    "AWS_S3_USE_THREADS",
)
VERIFY = "AWS_S3_VERIFY"
ENDPOINT = "AWS_S3_ENDPOINT_URL"
FILES = ("~/.aws/credentials", "~/.aws/config", "~/.boto", "/etc/boto.cfg")


def check_credentials(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E003: on a platform, a storage on S3 without any credentials."""
    stage = env.get_stage(os.environ)
    if stage not in env.DEPLOYED or _may_be_elsewhere():
        return []
    if env.get_platform(os.environ) is None:  # a machine of Amazon's may have a role
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
        # Where the site runs, a static URL needs no credentials, nor does one that is not signed.
        and (stage is env.Stage.BUILD or not (storage.public or not storage.querystring_auth))
    )


def _may_be_elsewhere() -> bool:
    paths = (Path(os.path.expanduser(name)) for name in FILES)  # noqa: PTH111  (HOME may be unset)
    return env.is_set(os.environ, *ELSEWHERE) or any(os.path.exists(path) for path in paths)  # noqa: PTH110


def check_bucket(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W007: on a deployed site, variables for S3 that have no effect without a bucket."""
    if env.get_stage(os.environ) not in env.DEPLOYED or not hasattr(settings, BUCKET):
        return []
    found = [name for name in FOR_A_BUCKET if env.is_set(os.environ, name)]
    if not found or getattr(settings, BUCKET) or s3_registered():
        return []
    verb = "is" if len(found) == 1 else "are"
    return [
        CheckWarning(
            f"{env.listed(found)} {verb} set, but {BUCKET} is not: no file goes to S3.",
            hint=f"{env.config_set([BUCKET])}, or heroku config:unset {' '.join(found)}",
            id="herokuify.W007",
        )
    ]


def check_order(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E011: variables that were set after the settings were made of them."""
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
                    "the environment once: the settings are made without.",
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
    """Yield the names that are set now, and would change a setting that the fragment made."""
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
    """herokuify.E012: the address of S3 holds a password, and addresses are printed."""
    urls = {ENDPOINT: getattr(settings, ENDPOINT, None)}
    for one, storage in s3_storages():
        if storage.endpoint_url != urls[ENDPOINT]:
            urls[f"The option endpoint_url of {one.setting}"] = storage.endpoint_url
    return [
        error(
            f"{name} holds a user and a password, which S3 has no use for, and commands print it.",
            hint=f'In settings.py: {ENDPOINT} = "https://…" without what stands before the @; the '
            f"access key is {env.listed(KEYS)}.",
            id="herokuify.E012",
        )
        for name, url in urls.items()
        if re.match(r"[^/]*//[^/?#]*@", str(url or ""))
    ]


def check_switches(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E013: switches that are no booleans, such as the text "False", which is true."""
    values = {name: getattr(settings, name) for name in SWITCHES if hasattr(settings, name)}
    wrong = [name for name, value in values.items() if not isinstance(value, bool)]
    verify = getattr(settings, VERIFY, None)
    if isinstance(verify, str) and verify.lower() in {"", *env.TRUE, *env.FALSE}:
        wrong.append(VERIFY)
    return [
        error(
            f"{name} must be True or False, and is of the type "
            f"{type(getattr(settings, name)).__name__}.",
            hint=f"In settings.py: {name} = False, or, to make it of a variable: from herokuify "
            f'import env; {name} = env.read(os.environ, "{name}", convert=env.boolean, '
            "default=False)",
            id="herokuify.E013",
        )
        for name in wrong
    ]
