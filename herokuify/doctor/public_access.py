"""Requests as a visitor: for static files, private media files, and fonts from another origin."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from herokuify.conf.addresses import parse_s3_url
from herokuify.conf.hosts import site_origins
from herokuify.doctor.findings import Finding, Subject
from herokuify.s3.web import Page, UnreachableError, fetch
from herokuify.storage import S3BotoStorage
from herokuify.storage.static import S3StaticStorage, joined

#: Origins that are tested.
MOST_ORIGINS = 5
_ANY = "https://any.example"  # tested if ALLOWED_HOSTS allows every host
FONTS = (".woff2", ".woff", ".ttf", ".otf", ".eot")
APPLY = "python manage.py herokuify bucket --apply"
_STATIC_URL = "In settings.py: from herokuify.aws import *; STATIC_URL = get_static_url()"


def probe_static(
    storage: S3StaticStorage, subject: Subject, name: str, body: bytes | None
) -> Finding:
    """Request a static file at STATIC_URL without credentials; ``body`` is its content."""
    probe = "static.public"
    url = joined(storage.base_url, name)
    try:
        page = fetch(url, ca_file=ca_file(storage))
    except UnreachableError as error:
        return _unreachable(storage, subject, probe, url, error)
    if page.status == 200 and body in {None, page.body}:
        return subject.ok(probe, f"Anyone may read static files at {storage.base_url}")
    if page.status in {401, 403}:
        is_s3 = parse_s3_url(storage.base_url, endpoint_url=storage.public_endpoint) is not None
        return subject.failed(
            probe,
            f"Static files are not public: {url} responds with {page.description}.",
            f"{APPLY} (a policy that makes them public; it reports if the AWS account "
            "blocks public policies)"
            # Without permission to list, S3 returns 403 for a missing file, too.
            + ("" if is_s3 else f", or have the CDN read s3://{storage.bucket_name}"),
        )
    if page.status == 404:
        return subject.failed(
            probe,
            f"STATIC_URL is wrong: {storage.base_url} does not serve a file that is in "
            f"s3://{storage.bucket_name}/{storage.location.strip('/')}/.",
            _STATIC_URL,
        )
    if page.status == 200:
        return subject.failed(
            probe,
            f"STATIC_URL is wrong: {url} responds with something other than the file.",
            _STATIC_URL,
        )
    return subject.failed(probe, f"{url} responds with {page.description}.", _STATIC_URL)


def probe_media(storage: S3BotoStorage, subject: Subject, name: str, body: bytes) -> list[Finding]:
    """Request a private file with its signed URL, and without the signature."""
    url = storage.url(name)
    certificates = ca_file(storage)
    bare = url.partition("?")[0]
    try:
        page = fetch(url, ca_file=certificates)
        findings = [_readable(storage, subject, bare, page, body)]
        if storage.querystring_auth:
            findings.append(_refused(subject, bare, fetch(bare, ca_file=certificates)))
    except UnreachableError as error:
        return [_unreachable(storage, subject, "media.url", url, error)]
    return findings


def _unreachable(
    storage: S3BotoStorage, subject: Subject, probe: str, url: str, error: UnreachableError
) -> Finding:
    """Report that nothing responds; browsers may use a different address."""
    if storage.public_endpoint_url and url.startswith(storage.public_endpoint_url):
        return subject.warning(
            probe,
            f"{storage.public_endpoint_url}, the address for browsers, can't be reached from "
            f"here, so the doctor can't test what they get. {error}",
            "Open a file of the site in a browser, or: heroku config:set "
            "AWS_S3_PUBLIC_ENDPOINT_URL=…",
        )
    return subject.failed(probe, str(error), error.hint)


def _readable(
    storage: S3BotoStorage, subject: Subject, url: str, page: Page, body: bytes
) -> Finding:
    probe = "media.url"
    kind = "a signed URL" if storage.querystring_auth else "its URL"
    if page.status == 200 and page.body == body:
        return subject.ok(probe, f"A file can be read at {kind}.")
    if storage.querystring_auth:
        hint = (
            "heroku config:set AWS_S3_REGION_NAME=… (the bucket's own: signed URLs don't "
            "follow redirects); with AWS_S3_CUSTOM_DOMAIN, check AWS_CLOUDFRONT_KEY and its id"
        )
    elif storage.public:
        hint = f"{APPLY} (a policy that makes these files public)"
        if storage.custom_domain:
            hint += f", or have the CDN read s3://{storage.bucket_name}"
    else:
        hint = (
            "Delete AWS_QUERYSTRING_AUTH = False from settings.py: unsigned URLs show public "
            "files only, and media files are private."
        )
    answer = "responds with something else"
    if page.status != 200:
        answer = f"responds with {page.description}"
    return subject.failed(probe, f"A file can't be read at {kind}: {url} {answer}.", hint)


def _refused(subject: Subject, url: str, page: Page) -> Finding:
    probe = "media.private"
    if page.status != 200:
        return subject.ok(probe, f"Without a signature the answer is {page.description}.")
    return subject.failed(
        probe,
        f"Media files are public: {url} can be read without a signature.",
        f"{APPLY} (public read for static files only), and delete ACLs of old media files: "
        "aws s3api put-object-acl --acl private …",
    )


def probe_cors(
    storage: S3StaticStorage, subject: Subject, name: str, published: Iterable[str] | None
) -> Finding:
    """Test whether browsers may load a static file as a font on the site's pages.

    ``published`` are the names of the release's files, or None if they are not known.
    """
    probe = "static.cors"
    origins = _origins(storage.base_url)
    if not origins:
        return subject.skipped(
            probe, "ALLOWED_HOSTS names no site whose pages could load a font from here"
        )
    url = joined(storage.base_url, name)
    refused = []
    for origin in origins:
        try:
            page = fetch(url, origin=origin, ca_file=ca_file(storage))
        except UnreachableError as error:
            return subject.failed(probe, str(error), error.hint)
        if page.headers.get("access-control-allow-origin") not in {"*", origin}:
            refused.append(origin)
    if not refused:
        return subject.ok(probe, f"Fonts may be loaded by pages of {', '.join(origins)}.")
    message = f"Browsers block fonts on pages of {', '.join(refused)}: {storage.base_url} does "
    message += "not send Access-Control-Allow-Origin"
    if published is not None and not any(file.endswith(FONTS) for file in published):
        return subject.warning(probe, f"{message}. This release has no fonts.", APPLY)
    return subject.failed(
        probe,
        f"{message}.",
        f"{APPLY} (CORS for the site's hosts). A CDN must pass on the request's Origin, and "
        "its cache must be cleared.",
    )


def _origins(base_url: str) -> list[str]:
    """Return sample origins of the site, those without a wildcard first."""
    origins = site_origins(settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
    own = f"https://{urlsplit(base_url).netloc}"
    concrete = [
        _ANY if origin == "*" else origin.replace("*", "www")
        for origin in sorted(origins, key=lambda origin: "*" in origin)
    ]
    return [origin for origin in dict.fromkeys(concrete) if origin != own][:MOST_ORIGINS]


def ca_file(storage: S3BotoStorage) -> str | None:
    """Return the CA file that the settings trust, such as a company's."""
    return storage.verify if isinstance(storage.verify, str) else None
