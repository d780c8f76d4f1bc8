"""What the configured storages need from their buckets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from herokuify.storage.acl import HARMLESS_ACL
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.media import S3MediaStorage
from herokuify.storage.registry import public_locations, share_bucket
from herokuify.uploads import rules, staging

#: Parameter of a PUT → the IAM action that it needs in addition to s3:PutObject (Service
#: Authorization Reference, "Actions, resources, and condition keys for Amazon S3").
EXTRA_ACTIONS = {
    "ACL": "s3:PutObjectAcl",
    "GrantRead": "s3:PutObjectAcl",
    "ObjectLockLegalHoldStatus": "s3:PutObjectLegalHold",
    "ObjectLockMode": "s3:PutObjectRetention",
    "ObjectLockRetainUntilDate": "s3:PutObjectRetention",
    "Tagging": "s3:PutObjectTagging",
}


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    origins: tuple[str, ...]  # of the site's pages; empty if the site's hosts are unknown
    versioning: bool = False
    noncurrent_days: int | None = None  # after which old versions are removed; None keeps them


@dataclass(frozen=True)
class Desired:
    """The desired state of one bucket. Locations have no slashes at either end."""

    bucket: str
    region: str | None
    public: tuple[str, ...]  # locations that anyone may read
    private: tuple[str, ...]
    options: Options
    acls: tuple[str, ...] = ()  # texts: the storages that send ACLs, with the ACL
    static_actions: tuple[str, ...] = ()  # IAM actions that the headers in the settings need
    media_actions: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()  # public locations that the app writes
    creates: bool = False  # whether AWS_AUTO_CREATE_BUCKET is set
    pending: tuple[str, ...] = ()  # where browsers put direct uploads
    upload_headers: tuple[str, ...] = ()  # the headers that browsers send

    @property
    def locations(self) -> tuple[str, ...]:
        """All locations, public ones first."""
        return self.public + self.private

    @property
    def static(self) -> tuple[str, ...]:
        """The public locations that builds write."""
        return tuple(one for one in self.public if one not in self.uploads)

    @property
    def media(self) -> tuple[str, ...]:
        """The locations that the app writes."""
        return self.private + self.uploads


def desired_for(storages: Sequence[S3BotoStorage], options: Options) -> Desired:
    """Return what these storages need from the bucket that they share.

    Raises ConfigurationError if a storage can't work with its settings, or keeps private files in a
    public location.
    """
    for storage in storages:
        storage.check_configuration()
    public = public_locations(storages)
    private = {storage.location.strip("/") for storage in storages if not storage.public}
    acls = {
        f"{type(storage).__name__} sends the ACL {parameters['ACL']!r}"
        for storage in storages
        for parameters in _sent_by(storage)
        if parameters.get("ACL") not in {None, HARMLESS_ACL}
    }
    uploading = [rule.storage for rule in rules.direct() if share_bucket(rule.storage, storages[0])]
    headers = [name for storage in uploading for name in staging.header_names(storage)]
    return Desired(
        bucket=str(storages[0].bucket_name),
        region=storages[0].region_name,
        public=tuple(public),
        private=tuple(sorted(private)),
        options=options,
        acls=tuple(sorted(acls)),
        static_actions=_extra_actions(one for one in storages if not _is_media(one)),
        media_actions=_extra_actions(one for one in storages if _is_media(one)),
        uploads=tuple(sorted({one.location.strip("/") for one in storages if _is_upload(one)})),
        creates=any(storage.auto_create_bucket for storage in storages),
        pending=(staging.pending_location(),) if uploading else (),
        upload_headers=tuple(dict.fromkeys(headers)),
    )


def _is_media(storage: S3BotoStorage) -> bool:
    return not storage.public or _is_upload(storage)


def _is_upload(storage: S3BotoStorage) -> bool:
    return storage.public and isinstance(storage, S3MediaStorage)


def _extra_actions(storages: Iterable[S3BotoStorage]) -> tuple[str, ...]:
    names = {name for one in storages for parameters in _sent_by(one) for name in parameters}
    return tuple(sorted({EXTRA_ACTIONS[name] for name in names & set(EXTRA_ACTIONS)}))


def _sent_by(storage: S3BotoStorage) -> list[dict[str, object]]:
    """Return the parameters that a storage's settings add to every PUT, and to some."""
    acl = {"ACL": storage.default_acl} if storage.default_acl else {}
    rules = storage.header_rules
    everywhere = {**acl, **storage.object_parameters, **rules.everywhere}
    return [everywhere, *(dict(parameters) for _, parameters in rules.patterns)]
