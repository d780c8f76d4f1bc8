"""The S3 backend that every storage of herokuify shares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.utils import validate_file_name
from django.core.signals import request_started
from django.utils.deconstruct import deconstructible
from django.utils.timezone import get_default_timezone, make_naive
from storages.base import BaseStorage
from storages.utils import (
    check_location,
    clean_name,
    get_available_overwrite_name,
    safe_join,
)

from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.legacy import explain_ignored, ignored_settings
from herokuify.s3 import content_types
from herokuify.s3.client import (
    PROBE,
    RetryProfile,
    connect,
    connect_resource,
    current_profile,
    serve_web,
)
from herokuify.s3.destination import Destination, Transfer
from herokuify.s3.errors import explained
from herokuify.s3.headers import HeaderRules, merged
from herokuify.s3.reader import LENGTH, StoredObject
from herokuify.s3.signing import CloudFrontSigner
from herokuify.s3.writer import MultipartWriter, Writer
from herokuify.storage.content import as_file, compressed, from_start, rereadable
from herokuify.storage.files import S3File, StagedFile
from herokuify.storage.locations import check_public_endpoint, destination_of
from herokuify.storage.names import alternative_name, free_name, spelled_keys
from herokuify.storage.options import check_options, default_options, drop_logins
from herokuify.storage.registry import public_locations, sharing_bucket
from herokuify.storage.urls import Urls, check_life

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.service_resource import Bucket, S3ServiceResource

    from herokuify.s3.objects import Objects
    from herokuify.s3.upload import Upload

# In web processes, requests to S3 must end before the router's timeout.
request_started.connect(serve_web, dispatch_uid="herokuify.s3.serve_web")

#: Names that a save tries. All but the first are random: if they are taken, the service is broken.
NAMES_TRIED = 10


@deconstructible(path="herokuify.storage.S3BotoStorage")
class S3BotoStorage(BaseStorage):
    """Files on S3, with HTTP headers, bucket creation and clear errors.

    Accepts every setting and option of django-storages' ``storages.backends.s3.S3Storage``, and
    four more, as settings, class attributes or OPTIONS: ``AWS_HEADERS`` (``headers``),
    ``AWS_EXTRA_HEADERS`` (``extra_headers``), ``AWS_AUTO_CREATE_BUCKET`` (``auto_create_bucket``)
    and ``AWS_S3_PUBLIC_ENDPOINT_URL`` (``public_endpoint_url``). Raises ConfigurationError when one
    of them is wrong.
    """

    #: By this attribute, the registry recognizes storages on this backend.
    is_on_s3 = True
    #: Whether anyone may read this storage's files; determines the policy of a new bucket.
    public = False
    #: The type of files whose names don't determine one.
    default_content_type = content_types.DEFAULT
    #: A botocore Config: django-storages' deprecated way to give ``client_config``.
    config: Any = None
    cloudfront_signer: Any = None
    endpoint_url: str | None

    def __init__(self, **options: Any) -> None:
        if "cloudfront_signer" in options:
            self.cloudfront_signer = options.pop("cloudfront_signer")
        #: ``custom_domain`` of an option or a subclass, but not of the setting.
        self.own_domain = options.get("custom_domain", getattr(type(self), "custom_domain", None))
        super().__init__(**options)
        #: Options that contained a user and a password, which herokuify.E012 reports.
        self.logins = drop_logins(self)
        check_location(self)
        check_options(self)
        if self.config is not None:
            self.client_config = self.config
        if self.cloudfront_signer is None and self.cloudfront_key:
            self.cloudfront_signer = self.get_cloudfront_signer(
                self.cloudfront_key_id, self.cloudfront_key
            )
        self.header_rules = HeaderRules.parse(self.headers, self.extra_headers)
        self.transfer = Transfer.of(self.transfer_config)
        if self.transfer_config is None and not self.use_threads:
            self.transfer = self.transfer._replace(concurrency=1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, S3BotoStorage) or type(self) is not type(other):
            return NotImplemented
        return self.configuration() == other.configuration()

    def __hash__(self) -> int:
        return hash((type(self), self.bucket_name, self.location))

    def configuration(self) -> dict[str, Any]:
        """Return all options and their values; storages are equal if these are equal."""
        values = {name: getattr(self, name) for name in self.get_default_settings()}
        # These two don't define equality.
        config = None if self.client_config is None else vars(self.client_config)
        return values | {"client_config": config, "transfer_config": self.transfer}

    def get_default_settings(self) -> dict[str, Any]:
        """Return the options with the values of their settings, or their defaults."""
        return default_options()

    def get_cloudfront_signer(self, key_id: str, key: str) -> Any:
        """Return an object with ``generate_presigned_url``, which signs CloudFront's URLs."""
        return CloudFrontSigner(key_id, key)

    def check_configuration(self) -> None:
        """Raise ConfigurationError if the settings show that this storage can't work.

        Sends no requests. It runs as a system check, and again before each request to S3, because
        `compress` doesn't run system checks.
        """
        name = type(self).__name__
        if ignored := ignored_settings():
            raise ConfigurationError(*explain_ignored(ignored))
        if not self.bucket_name:
            raise ConfigurationError(
                f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it to reach S3.",
                "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
            )
        if bool(self.access_key) != bool(self.secret_key):
            missing = "AWS_SECRET_ACCESS_KEY" if self.access_key else "AWS_ACCESS_KEY_ID"
            raise ConfigurationError(
                f"{missing} is not set, and {name} needs both parts of the key to reach S3.",
                f"heroku config:set {missing}=…",
            )
        check_public_endpoint(self)
        if not self.custom_domain:
            check_life(self, self.querystring_expire)
        if isinstance(self.cloudfront_signer, CloudFrontSigner):
            self.cloudfront_signer.load()

    # Requests to S3

    @property
    def destination(self) -> Destination:
        """The bucket and how to reach it; raises ConfigurationError."""
        self.check_configuration()
        return destination_of(self, self.endpoint_url)

    @property
    def public_endpoint(self) -> str | None:
        """The endpoint for browsers; None for Amazon S3."""
        url: str | None = self.public_endpoint_url or self.endpoint_url
        return url

    @property
    def public_destination(self) -> Destination:
        """The bucket and how browsers reach it, for signed URLs; raises ConfigurationError."""
        self.check_configuration()
        return destination_of(self, self.public_endpoint)

    @property
    def profile(self) -> RetryProfile:
        """The timeouts and attempts for this process's requests."""
        return current_profile()

    @property
    def client(self) -> S3Client:
        """The process's boto3 client for this configuration; thread-safe."""
        return connect(self.destination, self.profile)

    @property
    def probing_client(self) -> S3Client:
        """A client that returns or fails within seconds."""
        return connect(self.destination, PROBE)

    @property
    def connection(self) -> S3ServiceResource:
        """The process's boto3 resource for this configuration."""
        return connect_resource(self.destination, self.profile)

    @property
    def bucket(self) -> Bucket:
        """A new boto3 resource of the bucket, because it must not be shared with a fork."""
        return self.connection.Bucket(self.bucket_name)

    def create_bucket(self) -> None:
        """Create the bucket, ready for all storages of the project that share it."""
        from herokuify.s3 import bucket

        public = public_locations(sharing_bucket(self))
        bucket.create(self.client, self.destination, public)

    # Names

    def key_of(self, name: Any) -> str:
        """Return the object's key; raise SuspiciousFileOperation if it is outside the location."""
        try:
            key: str = safe_join(self.location, clean_name(name))
        except ValueError:
            raise SuspiciousFileOperation(f"Attempted access to {str(name)!r} denied.") from None
        return key

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name, or if files may not be overwritten, one that is free."""
        name = clean_name(name)
        if self.file_overwrite:
            return str(get_available_overwrite_name(name, max_length))
        return str(super().get_available_name(name, max_length))

    def _candidate(self, name: str, max_length: int | None) -> str:
        """Return the name that a save tries; the upload fails if it is taken."""
        overrides = type(self).get_available_name is not S3BotoStorage.get_available_name
        if self.file_overwrite or overrides:
            return self.get_available_name(name, max_length=max_length)
        return free_name(self, clean_name(name), max_length)

    # Saving

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Store a file under the name, or a different one if it is taken; return the name.

        ``content`` is a file, or an iterable of bytes or text. Unless ``file_overwrite`` is set, no
        file is ever replaced, even if two files are saved under one name at the same time.
        """
        # Imported here and below, because a process that only renders URLs doesn't need it.
        from herokuify.s3.upload import NameTakenError

        name = str(name if name is not None else content.name)
        if self.file_overwrite:
            return self._save_as(name, as_file(content, name), max_length)
        wanted = name
        with rereadable(as_file(content, name)) as file:
            for _ in range(NAMES_TRIED):
                try:
                    return self._save_as(wanted, file, max_length)
                except NameTakenError as error:
                    taken = error
                    wanted = alternative_name(self, name)
        raise S3Error(
            f"{taken} Gave up after {NAMES_TRIED} attempts to find a free name for {name!r}: "
            f"{self.destination.endpoint} reports that each of them is taken.",
            "Check AWS_S3_ENDPOINT_URL.",
        ) from taken

    def _save_as(self, name: str, content: Any, max_length: int | None) -> str:
        """Save like Django's ``Storage.save``; raise NameTakenError if the name is taken."""
        if not hasattr(content, "chunks"):
            content = File(content, name)
        saved = self._save(self._candidate(name, max_length), content)
        validate_file_name(saved, allow_relative_path=True)
        return str(saved)

    def _save(self, name: str, content: Any) -> str:
        cleaned: str = clean_name(name)
        if isinstance(content, StagedFile):
            content.save_to(self, cleaned, S3BotoStorage)
            return cleaned
        with from_start(content) as source:
            self.store(cleaned, source, getattr(content, "content_type", None))
        return cleaned

    def store(
        self,
        name: str,
        source: BinaryIO,
        content_type: str | None,
        *,
        may_replace: bool | None = None,
    ) -> None:
        """Store the bytes under a clean name on S3, and in subclasses also on the disk.

        Raises NameTakenError if the name is taken and ``may_replace`` is False. If it is None,
        ``file_overwrite`` determines it.
        """
        self.put(name, source, content_type, may_replace=may_replace)

    def put(
        self,
        name: str,
        source: BinaryIO,
        content_type: str | None,
        *,
        may_replace: bool | None = None,
        is_hashed: bool | None = None,
    ) -> None:
        """Store the bytes as one object on S3.

        ``may_replace`` is as for ``store``. ``is_hashed`` tells whether the name changes with the
        content; if it is None, ``is_content_named`` determines it.
        """
        if is_hashed is None:
            source.seek(0)
            is_hashed = self.is_content_named(name, lambda: nullcontext(source))
            source.seek(0)
        parameters = self.parameters_for(name, content_type, is_hashed=is_hashed)
        if may_replace is None:
            may_replace = bool(self.file_overwrite)
        smaller = compressed(source) if self.can_be_gzipped(parameters) else None
        source.seek(0)
        if smaller is None:
            self._upload(name, parameters, may_replace=may_replace).send(source)
            return
        length = str(source.seek(0, os.SEEK_END))
        parameters = merged(parameters, {"ContentEncoding": "gzip", "Metadata": {LENGTH: length}})
        with smaller:
            self._upload(name, parameters, may_replace=may_replace).send(smaller)

    def _upload(self, name: str, parameters: Mapping[str, Any], *, may_replace: bool) -> Upload:
        from herokuify.s3.upload import Upload

        return Upload(
            self.destination,
            self.profile,
            self.key_of(name),
            parameters,
            may_replace=may_replace,
            create_bucket=self.create_bucket if self.auto_create_bucket else None,
        )

    # Headers

    def parameters_for(
        self, name: str, content_type: str | None = None, *, is_hashed: bool = False
    ) -> dict[str, Any]:
        """Return the parameters of a PUT for this clean name: type, encoding, headers and ACL.

        Later ones take precedence: the class's own headers, AWS_S3_OBJECT_PARAMETERS, AWS_HEADERS,
        AWS_EXTRA_HEADERS.
        """
        media = content_types.guess(name)
        by_name = self.default_content_type if media.type == content_types.DEFAULT else media.type
        defaults: dict[str, Any] = {"ContentType": content_types.parse(content_type) or by_name}
        if media.encoding:
            defaults["ContentEncoding"] = media.encoding
        if self.default_acl:
            defaults["ACL"] = self.default_acl
        return merged(
            defaults,
            self.class_parameters(name, is_hashed=is_hashed),
            self.get_object_parameters(self.key_of(name)),
            self.header_rules.for_name(name.lstrip("/")),
        )

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """Return AWS_S3_OBJECT_PARAMETERS. ``name`` is the object's key, for subclasses."""
        return dict(self.object_parameters)

    def is_content_named(self, name: str, opener: Callable[[], Any]) -> bool:
        """Return whether the name changes with the content, so that caches may keep it forever."""
        return False

    def class_parameters(self, name: str, *, is_hashed: bool) -> dict[str, Any]:
        """Return this class's default headers, which settings override."""
        return {}

    def can_be_gzipped(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether AWS_IS_GZIPPED applies to an object with these parameters."""
        return (
            bool(self.gzip)
            and parameters["ContentType"] in self.gzip_content_types
            and "ContentEncoding" not in parameters
        )

    # Opening

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        return S3File(self, str(name), mode)

    def writer_for(self, name: str, mode: str) -> Writer:
        """Return the writer for ``open(name, "w")``."""
        name = clean_name(name)
        parameters = self.parameters_for(name)
        if self.can_be_gzipped(parameters):
            return self.buffered_writer(name, mode)
        upload = self._upload(name, parameters, may_replace="x" not in mode)
        return MultipartWriter(
            name, mode, upload, self.transfer, directory=settings.FILE_UPLOAD_TEMP_DIR
        )

    def buffered_writer(self, name: str, mode: str) -> Writer:
        """Return a writer that collects the whole file before it is stored."""
        store = partial(self.store, name, content_type=None, may_replace="x" not in mode)
        return Writer(name, mode, store, directory=settings.FILE_UPLOAD_TEMP_DIR)

    def find(self, name: Any) -> StoredObject:
        """Return an object, ready to be read; raise FileNotFoundError."""
        key, head = self._located(name)
        address = {"Bucket": self.bucket_name, "Key": key}
        extra = self._objects.reading_parameters(self.get_object_parameters(key))
        return StoredObject.shown_by(
            head,
            self.destination,
            self.profile,
            {**address, **extra},
            # If the name or the settings determine the encoding, the file was saved compressed.
            came_packed="ContentEncoding" in self.parameters_for(clean_name(name)),
        )

    # Objects

    @property
    def _objects(self) -> Objects:
        from herokuify.s3.objects import Objects

        with explained(self.destination, "the request"):
            return Objects(self.destination, self.profile)

    def _located(self, name: Any) -> tuple[str, Any]:
        """Return the key of a name and the response to its HEAD; raise FileNotFoundError."""
        return self._objects.first(self._keys_of(name), self.get_object_parameters)

    def _keys_of(self, name: Any) -> list[str]:
        """Return the keys that a name can refer to: other tools' unchanged name, then ours."""
        key = self.key_of(name)
        return [*spelled_keys(self.location, str(name), key), key]

    def exists(self, name: Any) -> bool:
        """Return whether the object exists."""
        try:
            self._located(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: Any) -> int:
        """Return the content's length in bytes, decompressed; raise FileNotFoundError."""
        return self.find(name).length()

    def get_modified_time(self, name: Any) -> datetime:
        """Return when the object was written: aware if USE_TZ, else naive in TIME_ZONE."""
        modified: datetime = self._located(name)[1]["LastModified"]
        # Not the current time zone, which may be the visitor's.
        return modified if settings.USE_TZ else make_naive(modified, get_default_timezone())

    def listdir(self, name: Any) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files directly below a folder."""
        path = self.key_of(name)
        return self._objects.folder(path if not path or path.endswith("/") else f"{path}/")

    def delete(self, name: Any) -> None:
        """Remove the object, if it exists."""
        key = self._deletable_key(name)  # refuses an empty name first
        self._objects.delete(key)

    def delete_many(self, names: Iterable[Any]) -> None:
        """Remove the objects that exist, a thousand per request.

        Raises S3Error with the remaining keys, after all have been tried.
        """
        keys = [self._deletable_key(name) for name in names]
        if keys:
            self._objects.delete_many(keys)

    def _deletable_key(self, name: Any) -> str:
        if not name:
            raise ValueError("The name must be given to delete().")
        *spelled, key = self._keys_of(name)
        try:
            return self._located(name)[0] if spelled else key
        except FileNotFoundError:
            return key

    # URLs

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return the URL: signed, unless ``querystring_auth`` is off or the domain has no signer.

        A signed URL stays valid for ``expire`` seconds at most, and for at least half as long, in
        which all processes return the same URL. ``parameters`` are those of boto3's
        ``get_object``, such as ``ResponseContentDisposition``.
        """
        life = int(self.querystring_expire if expire is None else expire)
        return self._urls.get(self.key_of(name), parameters or {}, life, http_method)

    @cached_property
    def _urls(self) -> Urls:
        return Urls(self)
