"""The S3 backend that every storage of herokuify shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

from boto3.s3.transfer import S3Transfer, TransferConfig
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import File
from django.utils.timezone import make_naive
from storages.utils import clean_name, setting

from herokuify.collect.local import compressed
from herokuify.storage import bucket, mime
from herokuify.storage.client import NO_CONFIG
from herokuify.storage.configured import configured_storages
from herokuify.storage.connected import ConnectedStorage
from herokuify.storage.content import MEMORY, from_start
from herokuify.storage.errors import code_of, explained, status_of, translate
from herokuify.storage.files import S3ReadFile, S3WriteFile
from herokuify.storage.headers import HeaderRules, merged

ResultT = TypeVar("ResultT")


class S3BotoStorage(ConnectedStorage):
    """django-storages' S3 backend with HTTP headers, bucket creation and clear errors.

    Takes every setting and option of ``storages.backends.s3.S3Storage``, and three more,
    as settings, class attributes or OPTIONS: ``AWS_HEADERS`` (``headers``),
    ``AWS_EXTRA_HEADERS`` (``extra_headers``) and ``AWS_AUTO_CREATE_BUCKET``
    (``auto_create_bucket``). Raises ConfigurationError when one of them is wrong.
    """

    #: Whether anyone may read what this storage holds; decides the policy of a new bucket.
    public = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.header_rules = HeaderRules.parse(self.headers, self.extra_headers)

    def get_default_settings(self) -> dict[str, Any]:
        """django-storages' defaults, with those that are safer on a dyno."""
        defaults: dict[str, Any] = super().get_default_settings()
        return {
            **defaults,
            "headers": setting("AWS_HEADERS", {}),
            "extra_headers": setting("AWS_EXTRA_HEADERS", []),
            "auto_create_bucket": setting("AWS_AUTO_CREATE_BUCKET", False),
            "client_config": defaults["client_config"] or NO_CONFIG,
            # Version 2 is refused in every region since 2014, and with SSE-KMS.
            "signature_version": defaults["signature_version"] or "s3v4",
            # No threads: they outlive the interpreter's end ("cannot schedule new futures").
            "transfer_config": defaults["transfer_config"]
            or TransferConfig(
                multipart_threshold=MEMORY,
                multipart_chunksize=MEMORY,
                use_threads=False,
                preferred_transfer_client="classic",
            ),
            # 0 would hold a whole download in memory.
            "max_memory_size": setting("AWS_S3_MAX_MEMORY_SIZE", MEMORY),
        }

    # Reading

    def key_of(self, name: Any) -> str:
        """The object's key for a name; raises SuspiciousOperation outside the location."""
        key: str = self._normalize_name(clean_name(name))
        return key

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode not in {"r", "rb", "rt", "w", "wb", "wt"}:
            raise ValueError(
                f"{type(self).__name__} can't open {name!r} in mode {mode!r}: objects on S3 are "
                "read ('rb', 'r') or written anew ('wb', 'w'), never changed."
            )
        key = self.key_of(name)
        if "w" in mode:
            return S3WriteFile(clean_name(name), mode, self)
        return self._present(name, "s3:GetObject", lambda: S3ReadFile(key, mode, self))

    def _present(self, name: Any, permission: str, request: Callable[[], ResultT]) -> ResultT:
        """What ``request`` answers about an object; FileNotFoundError when it is absent."""
        try:
            with explained(self.target, permission, self.key_of(name)):
                try:
                    return request()
                except ClientError as error:
                    if status_of(error) in {301, 400, 403}:
                        self._ask_for_reason(self.key_of(name))
                    raise
        except ClientError as error:
            raise FileNotFoundError(f"File does not exist: {self.key_of(name)}") from error

    def _head(self, name: Any) -> Any:
        key = self.key_of(name)
        return self._present(
            name,
            "s3:GetObject",
            lambda: self.client.head_object(
                Bucket=self.bucket_name, Key=key, **self._reading_parameters(key)
            ),
        )

    def _reading_parameters(self, key: str) -> dict[str, Any]:
        """What of AWS_S3_OBJECT_PARAMETERS a request to read takes, such as RequestPayer."""
        parameters = self.get_object_parameters(key).items()
        return {name: v for name, v in parameters if name in S3Transfer.ALLOWED_DOWNLOAD_ARGS}

    def _ask_for_reason(self, key: str) -> None:
        """Raise what S3 says to a GET: the answer to a HEAD has no body, and so no reason."""
        answer = self.client.get_object(Bucket=self.bucket_name, Key=key, Range="bytes=0-0")
        answer["Body"].close()

    def exists(self, name: Any) -> bool:
        """Whether the object is there."""
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: Any) -> int:
        """The object's length in bytes, as stored; FileNotFoundError when it is absent."""
        return int(self._head(name)["ContentLength"])

    def get_modified_time(self, name: Any) -> datetime:
        """When the object was written: aware if USE_TZ, else naive in the local time zone."""
        modified: datetime = self._head(name)["LastModified"]
        return modified if settings.USE_TZ else make_naive(modified)

    def listdir(self, name: Any) -> tuple[list[str], list[str]]:
        """Names of the folders and of the files directly below a folder."""
        with explained(self.target, "s3:ListBucket", self.key_of(name)):
            folders, files = super().listdir(name)
            return folders, files

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """A signed URL, valid for ``expire`` seconds; django-storages' rules apply."""
        with explained(self.target, "s3:GetObject"):
            return str(super().url(name, parameters, expire, http_method))

    # Writing

    def delete(self, name: Any) -> None:
        """Remove the object; its absence is no error."""
        if not name:
            raise ValueError("The name must be given to delete().")
        try:
            with explained(self.target, "s3:DeleteObject", self.key_of(name)):
                self.client.delete_object(Bucket=self.bucket_name, Key=self.key_of(name))
        except ClientError:
            return

    def _save(self, name: str, content: Any) -> str:
        cleaned: str = clean_name(name)
        with from_start(content) as source:
            self.store(cleaned, source, getattr(content, "content_type", None))
        return cleaned

    def store(self, name: str, source: BinaryIO, content_type: str | None) -> None:
        """Store the bytes under a clean name, everywhere this storage keeps them."""
        self.put(name, source, content_type)

    def put(self, name: str, source: BinaryIO, content_type: str | None) -> None:
        """Store the bytes as one object, which replaces what was there."""
        key = self.key_of(name)
        parameters = self.parameters_for(
            name, content_type, is_content_named=self.is_content_named(name)
        )
        if self.can_be_gzipped(parameters):
            smaller = compressed(source)
            source.seek(0)
            if smaller is not None:
                parameters["ContentEncoding"] = "gzip"
                with smaller:
                    self._send(key, smaller, parameters)
                return
        self._send(key, source, parameters)

    def _send(self, key: str, source: BinaryIO, parameters: dict[str, Any]) -> None:
        start = source.read(self.transfer_config.multipart_threshold)
        is_small = len(start) < self.transfer_config.multipart_threshold

        def put() -> None:
            if is_small:
                self.client.put_object(Bucket=self.bucket_name, Key=key, Body=start, **parameters)
            else:
                source.seek(0)
                self.client.upload_fileobj(
                    source, self.bucket_name, key, ExtraArgs=parameters, Config=self.transfer_config
                )

        try:
            with explained(self.target, "s3:PutObject", key):
                try:
                    put()
                except ClientError as error:
                    if not (self.auto_create_bucket and code_of(error) == "NoSuchBucket"):
                        raise
                    self.create_bucket()
                    put()
        except ClientError as error:  # a 404 that is no bucket's: whatever answers is not S3
            raise translate(error, self.target, "s3:PutObject", key) from error

    def create_bucket(self) -> None:
        """Create the bucket, ready for all configured storages that share it."""
        bucket.create_for(self, [make() for make in configured_storages(S3BotoStorage)])

    # Headers

    def parameters_for(
        self, name: str, content_type: str | None = None, *, is_content_named: bool = False
    ) -> dict[str, Any]:
        """What a PUT of this clean name sends along: type, encoding, headers, ACL.

        The class's own headers < AWS_S3_OBJECT_PARAMETERS < AWS_HEADERS < AWS_EXTRA_HEADERS.
        """
        media = mime.guess(name)
        defaults: dict[str, Any] = {"ContentType": content_type or media.type}
        if media.encoding:
            defaults["ContentEncoding"] = media.encoding
        if self.default_acl:
            defaults["ACL"] = self.default_acl
        return merged(
            defaults,
            self.class_parameters(name, is_content_named=is_content_named),
            self.get_object_parameters(self.key_of(name)),
            self.header_rules.for_name(name.lstrip("/")),
        )

    def is_content_named(self, name: str) -> bool:
        """Whether another content would have another name, so that caches may keep it for ever."""
        return False

    def class_parameters(self, name: str, *, is_content_named: bool) -> dict[str, Any]:
        """The headers that this class gives its objects unless the settings say otherwise."""
        return {}

    def can_be_gzipped(self, parameters: Mapping[str, Any]) -> bool:
        """Whether AWS_IS_GZIPPED applies to an object with these parameters."""
        return (
            bool(self.gzip)
            and parameters["ContentType"] in self.gzip_content_types
            and "ContentEncoding" not in parameters
        )
