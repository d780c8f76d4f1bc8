"""The URLs at which private objects can be read."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.utils.encoding import filepath_to_uri
from django.utils.functional import cached_property

from herokuify.storage.errors import explained
from herokuify.storage.objects import ObjectStorage
from herokuify.storage.signing import Period, SignedUrls, query_name, signed_at


class SigningStorage(ObjectStorage):
    """Signs URLs once for a while: S3's own, and CloudFront's with a custom domain."""

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """A signed URL, valid for ``expire`` seconds at most and for half of them at least.

        Within that half it stays the same, in every process. ``parameters`` are those of
        boto3's ``get_object``, such as ``ResponseContentDisposition``.
        """
        key = self.key_of(name)
        life = int(self.querystring_expire if expire is None else expire)
        with explained(self.target, "s3:GetObject"):
            url: str | None = None
            if self.querystring_auth and http_method in {None, "GET"}:
                sign = partial(self._sign, name, key, parameters or {}, life)
                known = self.bucket_name, self.custom_domain, key, life, repr(parameters)
                url = self._signed_urls.get(known, key, life, sign)
            return url or str(super().url(name, parameters, expire, http_method))

    @cached_property
    def _signed_urls(self) -> SignedUrls:
        return SignedUrls()

    def _sign(
        self, name: Any, key: str, parameters: dict[str, Any], life: int, period: Period
    ) -> str | None:
        """The URL that stays the same through the period; None when there is no such."""
        if self.custom_domain:
            if not self.cloudfront_signer:
                return None
            query = urlencode({query_name(name): value for name, value in parameters.items()})
            path = filepath_to_uri(key)
            url = f"{self.url_protocol}//{self.custom_domain}/{path}{'?' if query else ''}{query}"
            expiry = datetime.fromtimestamp(period.expiry, timezone.utc)
            return str(self.cloudfront_signer.generate_presigned_url(url, date_less_than=expiry))
        if period.start == period.end:
            return None
        return signed_at(
            str(super().url(name, parameters, life)),
            period.start,
            access_key=self.access_key or "",
            secret_key=self.secret_key or "",
        )
