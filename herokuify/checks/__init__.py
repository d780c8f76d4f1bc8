"""System checks: offline, instant, each with an id and a hint; docs/checks.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.core.checks import CheckMessage, Tags

from herokuify.checks import (
    apps,
    caches,
    compressor,
    databases,
    manifests,
    media,
    production,
    static,
    storages,
    uploads,
    variables,
)

#: What ``manage.py check --tag`` takes to run all of them.
TAG = "herokuify"

#: Each check with its tags. collectstatic runs only those tagged ``staticfiles``, before it
#: starts; that is where a build stops.
CHECKS: tuple[tuple[Callable[..., Iterable[CheckMessage]], tuple[str, ...]], ...] = (
    (storages.check_storages, (Tags.staticfiles,)),
    (storages.check_locations, (Tags.staticfiles,)),
    (storages.check_public_locations, (Tags.staticfiles,)),
    (storages.check_private_around, (Tags.security,)),
    (storages.check_acls, (Tags.staticfiles,)),
    (static.check_signing, (Tags.staticfiles,)),
    (static.check_root, (Tags.staticfiles,)),
    (media.check_overwriting, (Tags.security,)),
    (media.check_publicity, (Tags.security,)),
    (media.check_url_view, (Tags.urls, Tags.staticfiles)),
    (media.check_disk, (Tags.files,)),
    (compressor.check_finder, (Tags.staticfiles,)),
    (compressor.check_sources, (Tags.staticfiles,)),
    (compressor.check_bundles, (Tags.staticfiles,)),
    (compressor.check_url, (Tags.staticfiles,)),
    # Not in collectstatic, which is what writes them.
    (manifests.check_static, (Tags.files,)),
    (manifests.check_offline, (Tags.files,)),
    (apps.check_collectstatic, (Tags.staticfiles,)),
    (apps.check_compress, (Tags.staticfiles,)),
    (variables.check_credentials, (Tags.staticfiles,)),
    (variables.check_bucket, (Tags.staticfiles,)),
    (variables.check_order, (Tags.staticfiles,)),
    (variables.check_endpoint, (Tags.staticfiles,)),
    (variables.check_switches, (Tags.staticfiles,)),
    (variables.check_obsolete, (Tags.files,)),
    (caches.check_sessions, (Tags.caches, Tags.staticfiles)),
    (caches.check_options, (Tags.caches, Tags.staticfiles)),
    (databases.check_pools, (Tags.database,)),
    (uploads.check_rules, (Tags.staticfiles,)),
    (uploads.check_parts, (Tags.staticfiles,)),
    (uploads.check_pending, (Tags.security, Tags.staticfiles)),
    (uploads.check_policy, (Tags.security,)),
    (uploads.check_cors, (Tags.files,)),
    (production.check_debug, (Tags.security, Tags.staticfiles)),
    (production.check_hosts, (Tags.security,)),
    (production.check_secret_key, (Tags.security,)),
    (production.check_static_files, (Tags.files,)),
)
