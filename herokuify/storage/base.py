"""The S3 backend that every storage of herokuify shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from django.core.files.base import File
from django.utils.deconstruct import deconstructible
from storages.utils import clean_name, setting

from herokuify.collect.local import compressed
from herokuify.exceptions import S3Error
from herokuify.storage import bucket, mime
from herokuify.storage.client import NO_CONFIG
from herokuify.storage.configured import configured_storages
from herokuify.storage.content import MEMORY, as_file, from_start, rereadable
from herokuify.storage.files import READING, WRITING, S3ReadFile, S3WriteFile
from herokuify.storage.headers import HeaderRules, merged
from herokuify.storage.parts import Transfer
from herokuify.storage.reading import StoredObject
from herokuify.storage.saving import NameTakenError, Saving, alternative_name
from herokuify.storage.urls import SigningStorage
from herokuify.storage.writing import Sink, Spool, Stream

#: Names that a save tries; each is random, so one that is taken means a broken service.
NAMES_TRIED = 10
#: RFC 9110, "Media Type".
CONTENT_TYPE = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+\s*(;[\x20-\x7e]*)?", re.ASCII)
#: Large files: parts of 8 MB, three at a time, and one that is read meanwhile.
TRANSFER = TransferConfig(multipart_threshold=MEMORY, multipart_chunksize=MEMORY, max_concurrency=3)


@deconstructible(path="herokuify.storage.S3BotoStorage")
class S3BotoStorage(SigningStorage):
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
        self.transfer = Transfer.of(self.transfer_config)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, S3BotoStorage) or type(self) is not type(other):
            return NotImplemented
        return self.configuration() == other.configuration()

    def __hash__(self) -> int:
        return hash((type(self), self.bucket_name, self.location))

    def configuration(self) -> dict[str, Any]:
        """Every option and its value; storages are equal when these are."""
        values = {name: getattr(self, name) for name in self.get_default_settings()}
        # These two have no equality of their own.
        return values | {
            "client_config": vars(self.client_config),
            "transfer_config": self.transfer,
        }

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
            "transfer_config": defaults["transfer_config"] or TRANSFER,
        }

    # Files

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode not in READING | WRITING:
            raise ValueError(
                f"{type(self).__name__} can't open {name!r} in mode {mode!r}: objects on S3 are "
                "read ('rb', 'r') or written anew ('wb', 'w'), never changed."
            )
        cleaned: str = clean_name(name)
        if mode in WRITING:
            self.key_of(name)
            return S3WriteFile(cleaned, mode, self.sink_for(cleaned))
        return S3ReadFile(cleaned, mode, partial(self._find_to_read, cleaned))

    def _find_to_read(self, name: str) -> tuple[StoredObject, bool]:
        stored = self.find(name)
        # An encoding that the name or the headers' settings ask for came with the file.
        is_ours = "ContentEncoding" not in self.parameters_for(name)
        return stored, stored.encoding == "gzip" and is_ours

    def sink_for(self, name: str) -> Sink:
        """What ``open(name, "w")`` writes to."""
        if self.can_be_gzipped(self.parameters_for(name)):
            return Spool(self, name)
        return Stream(self, name)

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Store a file under the name, or another one if that is taken; returns the name.

        ``content`` is a file, or an iterable of bytes. Unless ``file_overwrite`` is set,
        nothing is ever replaced, also when two save one name in the same instant.
        """
        name = str(name if name is not None else content.name)
        if self.file_overwrite:
            return str(super().save(name, as_file(content, name), max_length))
        wished = name
        with rereadable(as_file(content, name)) as file:
            for _ in range(NAMES_TRIED):
                try:
                    return str(super().save(wished, file, max_length))
                except NameTakenError as error:
                    taken = error
                    wished = alternative_name(self, name)
        raise S3Error(
            f"{taken} That was the {NAMES_TRIED}th name in a row for {name!r}, each a random one: "
            f"{self.target.endpoint} can't be right."
        ) from taken

    def _save(self, name: str, content: Any) -> str:
        cleaned: str = clean_name(name)
        with from_start(content) as source:
            self.store(cleaned, source, getattr(content, "content_type", None))
        return cleaned

    def store(self, name: str, source: BinaryIO, content_type: str | None) -> None:
        """Store the bytes under a clean name, everywhere this storage keeps them.

        Raises NameTakenError when the name is taken and ``file_overwrite`` is not set.
        """
        self.put(name, source, content_type)

    def put(
        self,
        name: str,
        source: BinaryIO,
        content_type: str | None,
        *,
        may_replace: bool | None = None,
    ) -> None:
        """Store the bytes as one object; ``file_overwrite`` decides unless ``may_replace`` does."""
        if may_replace is None:
            may_replace = bool(self.file_overwrite)
        parameters = self.parameters_for(
            name, content_type, is_content_named=self.is_content_named(name)
        )
        saving = Saving(self, self.key_of(name), parameters, may_replace=may_replace)
        if self.can_be_gzipped(parameters):
            smaller = compressed(source)
            source.seek(0)
            if smaller is not None:
                parameters["ContentEncoding"] = "gzip"
                with smaller:
                    saving.send(smaller)
                return
        saving.send(source)

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
        # What browsers send as an upload's type can be anything; what is none makes them guess.
        is_type = content_type and CONTENT_TYPE.fullmatch(content_type)
        defaults: dict[str, Any] = {"ContentType": content_type if is_type else media.type}
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
