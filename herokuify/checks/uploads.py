"""Direct uploads: what they need besides HEROKUIFY_DIRECT_UPLOADS, and who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.urls import NoReverseMatch, reverse

from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.exceptions import ConfigurationError
from herokuify.storage.registry import UNUSABLE, public_location_around, s3_storages
from herokuify.storage.urls import unsigned_base_url
from herokuify.uploads.claims import MIDDLEWARE
from herokuify.uploads.rules import SETTING, Rule, find, names
from herokuify.uploads.staging import pending_location

APP = "herokuify.uploads"
URLS = 'path("uploads/", include("herokuify.uploads.urls"))'
CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"
CLOUDCUBE = "cloud-cube"  # the prefix of its buckets' names


def _is_used() -> bool:
    return bool(getattr(settings, SETTING, None))


def _direct() -> Iterator[Rule]:
    """Yield the rules that can work; other checks report the others."""
    try:
        for name in names():
            try:
                rule = find(name)
                if rule is not None and rule.is_direct:
                    yield rule
            except UNUSABLE:
                continue
    except ConfigurationError:
        return


def check_rules(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E020: HEROKUIFY_DIRECT_UPLOADS has an unknown field or invalid options."""
    if not _is_used():
        return []
    return [error(one.problem, hint=one.hint, id="herokuify.E020") for one in _faults()]


def _faults() -> Iterator[ConfigurationError]:
    try:
        rules = [*names()]
    except ConfigurationError as fault:
        yield fault
        return
    for name in rules:
        try:
            find(name)
        except ConfigurationError as fault:
            yield fault


def check_parts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E019: the app, the middleware or the URLs of direct uploads are missing."""
    if not _is_used():
        return []
    missing = []
    if not apps.is_installed(APP):
        missing.append((f'"{APP}" is not in INSTALLED_APPS', f'INSTALLED_APPS = [..., "{APP}"]'))
    if MIDDLEWARE not in settings.MIDDLEWARE:
        missing.append(
            (f'"{MIDDLEWARE}" is not in MIDDLEWARE', f'MIDDLEWARE = [..., "{MIDDLEWARE}"]')
        )
    if not _has_urls():
        missing.append(("no URL pattern includes herokuify.uploads.urls", f"In urls.py: {URLS}"))
    return [
        error(
            f"{SETTING} is set, but {problem}: nothing is uploaded directly.",
            hint=hint,
            id="herokuify.E019",
        )
        for problem, hint in missing
    ]


def _has_urls() -> bool:
    if not getattr(settings, "ROOT_URLCONF", None):
        return True  # settings for commands only
    for name, arguments in (
        ("herokuify_uploads:begin", ()),
        ("herokuify_uploads_rest:action", ("x",)),
    ):
        try:
            reverse(name, args=arguments)
        except NoReverseMatch:
            continue
        except Exception:  # noqa: BLE001  (a project's URLs may raise anything; Django reports it)
            return True
        return True
    return False


def check_pending(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E018: browsers upload to a public location."""
    if not _is_used():
        return []
    storages = [storage for _, storage in s3_storages()]
    pending = pending_location()
    found = []
    for rule in _direct():
        around = public_location_around(rule.storage, storages, pending)
        if around is not None:
            public = f"in the public location {around!r}" if around else "which is all public"
            found.append(
                error(
                    f"Direct uploads are kept under {pending!r} of the bucket "
                    f"{rule.storage.bucket_name!r}, {public}, so anyone may read them.",
                    hint="Give the static storage a separate location, such as 'static': delete "
                    "its location, or AWS_PUBLIC_LOCATION.",
                    id="herokuify.E018",
                )
            )
    return unique(found)


def check_policy(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W018: the Content-Security-Policy prevents uploads to the bucket."""
    policy = getattr(settings, "SECURE_CSP", None)
    if not (_is_used() and policy and CSP in settings.MIDDLEWARE):
        return []
    sources = policy.get("connect-src", policy.get("default-src"))
    if sources is None:
        return []
    sources = [sources] if isinstance(sources, str) else [*map(str, sources)]
    found = []
    for rule in _direct():
        base = unsigned_base_url(rule.storage) or ""
        parts = urlsplit(base)
        origin = f"{parts.scheme}://{parts.netloc}"
        if base and not any(_allows(source, parts.scheme, parts.netloc) for source in sources):
            found.append(
                CheckWarning(
                    f"SECURE_CSP prevents browsers from uploading to {origin}, which is not in its "
                    "connect-src.",
                    hint=f'In settings.py: SECURE_CSP = get_csp(STATIC_URL, MEDIA_URL, "{origin}")',
                    id="herokuify.W018",
                )
            )
    return unique(found)


def _allows(source: str, scheme: str, host: str) -> bool:
    """Return whether a source expression of a policy matches a host (CSP Level 3, 6.7.2)."""
    source_scheme, mark, source_host = source.rpartition("://")
    if source in {"*", f"{scheme}:"}:
        return True
    if mark and scheme not in {source_scheme, f"{source_scheme}s"}:  # http allows https, too
        return False
    source_host = source_host.partition("/")[0]
    if source_host.startswith("*."):
        return host.endswith(source_host[1:])
    return source_host == host


def check_cors(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W019: Cloudcube's bucket is shared, and has no CORS rule for uploads."""
    if not _is_used():
        return []
    return unique(
        CheckWarning(
            f"The bucket {rule.storage.bucket_name!r} belongs to Cloudcube, and only Cloudcube can "
            "set its CORS rules: browsers can't upload to it directly, so only small files are "
            "accepted, with the form.",
            hint="heroku addons:create bucketeer, or use a bucket of your own.",
            id="herokuify.W019",
        )
        for rule in _direct()
        if str(rule.storage.bucket_name).startswith(CLOUDCUBE)
    )
