import re
from datetime import datetime, timezone
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured

from herokuify.s3.headers import (
    METADATA_PREFIX,
    PARAMETERS,
    HeaderRules,
    http_headers,
    merged,
    parameters,
)

pytestmark = pytest.mark.no_django

# Headers that the client computes, that would put customers' keys into the settings, that
# concern a request and not an object, or that the oldest boto3 doesn't know.
LEFT_OUT = {
    "content-length",
    "content-md5",
    "if-match",
    "if-none-match",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-write-offset-bytes",
}
LEFT_OUT_PREFIXES = (
    "x-amz-checksum-",
    "x-amz-object-lock-event-hold",
    "x-amz-server-side-encryption-customer-",
)


def put_object_members() -> dict[str, Any]:
    service = botocore.session.get_session().get_service_model("s3")
    shape: Any = service.operation_model("PutObject").input_shape
    members: dict[str, Any] = shape.members
    return members


class TestParameters:
    def test_equal_botocores(self) -> None:
        """botocore's model of PutObject is the reference."""
        known = {
            shape.serialization["name"].lower(): name
            for name, shape in put_object_members().items()
            if shape.serialization.get("location") == "header"
        }
        wanted = {
            header: name
            for header, name in known.items()
            if header not in LEFT_OUT and not header.startswith(LEFT_OUT_PREFIXES)
        }
        assert dict(PARAMETERS) == wanted

    def test_metadata_prefix_is_botocores(self) -> None:
        assert put_object_members()["Metadata"].serialization == {
            "location": "headers",
            "name": METADATA_PREFIX,
        }

    def test_values_are_sent_unchanged(self) -> None:
        values: dict[str, Any] = dict.fromkeys(PARAMETERS, "text")
        dates = {"expires", "x-amz-object-lock-retain-until-date"}
        values |= dict.fromkeys(dates, "Thu, 31 Dec 2037 23:55:55 GMT")
        values["x-amz-server-side-encryption-bucket-key-enabled"] = True
        values["x-amz-server-side-encryption-context"] = "e30="
        values[f"{METADATA_PREFIX}owner"] = "me"
        client: Any = botocore.session.get_session().create_client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(request_checksum_calculation="when_required"),
        )
        sent: dict[str, str] = {}

        def catch(request: Any, **kwargs: Any) -> None:
            sent.update({name.lower(): value for name, value in request.headers.items()})
            raise InterruptedError

        client.meta.events.register("before-sign.s3.PutObject", catch)
        with pytest.raises(InterruptedError):
            client.put_object(Bucket="b", Key="k", **parameters(values, setting="AWS_HEADERS"))
        expected = {name: str(value) for name, value in values.items()} | {
            "x-amz-object-lock-retain-until-date": "2037-12-31T23:55:55Z",
            "x-amz-server-side-encryption-bucket-key-enabled": "true",
        }
        assert {name: sent.get(name) for name in expected} == expected
        # Requests without botocore have the same headers.
        assert http_headers(parameters(values, setting="AWS_HEADERS")) == expected


class TestReading:
    @pytest.mark.parametrize("header", ["Cache-Control", "cache-control", "CACHE-CONTROL"])
    def test_case_does_not_matter(self, header: str) -> None:
        assert parameters({header: "no-cache"}, setting="X") == {"CacheControl": "no-cache"}

    def test_metadata(self) -> None:
        read = parameters({"x-amz-meta-A": "1", "X-Amz-Meta-b-c": "ü"}, setting="X")
        assert read == {"Metadata": {"a": "1", "b-c": "ü"}}

    def test_numbers_are_text(self) -> None:
        assert parameters({"x-amz-meta-a": 7}, setting="X") == {"Metadata": {"a": "7"}}

    @pytest.mark.parametrize("value", [True, "true", False, "false"])
    def test_bucket_key(self, value: object) -> None:
        read = parameters({"x-amz-server-side-encryption-bucket-key-enabled": value}, setting="X")
        assert read == {"BucketKeyEnabled": value in (True, "true")}

    @pytest.mark.parametrize(
        "value",
        [
            "Thu, 31 Dec 2037 23:55:55 GMT",
            "2037-12-31T23:55:55Z",
            "2037-12-31T23:55:55+00:00",
            datetime(2037, 12, 31, 23, 55, 55, tzinfo=timezone.utc),
        ],
    )
    def test_dates(self, value: object) -> None:
        moment = datetime(2037, 12, 31, 23, 55, 55, tzinfo=timezone.utc)
        assert parameters({"Expires": value}, setting="X") == {"Expires": moment}


class TestErrors:
    @pytest.mark.parametrize(
        ("headers", "parts"),
        [
            ({"Cache-Controll": "x"}, ["'Cache-Controll'", "'cache-control'"]),
            ({"CacheControl": "x"}, ["'CacheControl'", "'cache-control'"]),
            ({"ACL": "public-read"}, ["'ACL'", "'x-amz-acl'"]),
            ({"X-Frame-Options": "DENY"}, ["'X-Frame-Options'", "cannot store"]),
            ({"x-amz-meta-": "x"}, ["'x-amz-meta-'", "x-amz-meta-*"]),
            ({7: "x"}, ["7", "cannot store"]),
            ({"Cache-Control": None}, ["['Cache-Control']", "None", "text"]),
            ({"Cache-Control": True}, ["['Cache-Control']", "True", "text"]),
            ({"x-amz-meta-a": b"x"}, ["['x-amz-meta-a']", "b'x'", "text"]),
            ({"Cache-Control": "a\r\nb"}, ["['Cache-Control']", "line break"]),
            ({"Expires": "soon"}, ["['Expires']", "'soon'", "date"]),
            ({"Expires": 3600}, ["['Expires']", "3600", "date"]),
            (
                {"x-amz-server-side-encryption-bucket-key-enabled": "yes"},
                ["bucket-key-enabled", "'yes'", "True or False"],
            ),
            ([("Cache-Control", "x")], ["must map", "list", "Cache-Control"]),
            ("max-age=60", ["must map", "str"]),
            (None, ["must map", "NoneType"]),
        ],
    )
    def test_invalid_headers(self, headers: object, parts: list[str]) -> None:
        for setting, arguments in [
            ("AWS_HEADERS", (headers, [])),
            ("AWS_EXTRA_HEADERS[1]", ({}, [("a", {}), (r".*", headers)])),
        ]:
            with pytest.raises(ImproperlyConfigured) as caught:
                HeaderRules.parse(*arguments)
            assert setting in str(caught.value)
            for part in parts:
                assert part in str(caught.value)

    @pytest.mark.parametrize(
        ("extra", "parts"),
        [
            ([("*.js", {})], ["AWS_EXTRA_HEADERS[0]", "'*.js'", "which is invalid", ".js$"]),
            ([(b".*", {})], ["AWS_EXTRA_HEADERS[0]", "b'.*'", "str"]),
            ([(re.compile(b".*"), {})], ["AWS_EXTRA_HEADERS[0]", "b'.*'", "str"]),
            ([(7, {})], ["AWS_EXTRA_HEADERS[0]", "7", "str"]),
            ([(".*", {}), ".*"], ["AWS_EXTRA_HEADERS[1]", "pair"]),
            ([(".*", {}, {})], ["AWS_EXTRA_HEADERS[0]", "pair"]),
            ([{".*": {}}], ["AWS_EXTRA_HEADERS[0]", "pair"]),
            ({".*": {}}, ["AWS_EXTRA_HEADERS", "dict", "(regex, headers)"]),
            (".*", ["AWS_EXTRA_HEADERS", "str", "(regex, headers)"]),
            (None, ["AWS_EXTRA_HEADERS", "NoneType", "(regex, headers)"]),
        ],
    )
    def test_invalid_extra_headers(self, extra: object, parts: list[str]) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            HeaderRules.parse({}, extra)
        for part in parts:
            assert part in str(caught.value)


class TestRules:
    RULES = HeaderRules.parse(
        {"Cache-Control": "everywhere", "x-amz-meta-a": "everywhere", "x-amz-meta-b": "everywhere"},
        [
            (r".*\.js$", {"Cache-Control": "script", "x-amz-meta-b": "script"}),
            (re.compile(r"ADMIN/", re.IGNORECASE), {"Cache-Control": "admin"}),
            (r"vendor", {"Content-Language": "de"}),
        ],
    )

    @pytest.mark.parametrize(
        ("name", "cache", "metadata", "language"),
        [
            ("a.css", "everywhere", {"a": "everywhere", "b": "everywhere"}, None),
            ("a.js", "script", {"a": "everywhere", "b": "script"}, None),
            ("x/a.js", "script", {"a": "everywhere", "b": "script"}, None),
            # Later entries override earlier ones.
            ("admin/a.js", "admin", {"a": "everywhere", "b": "script"}, None),
            # Patterns match from the start of the name, as with re.match().
            ("vendor/a.css", "everywhere", {"a": "everywhere", "b": "everywhere"}, "de"),
            ("my/vendor/a.css", "everywhere", {"a": "everywhere", "b": "everywhere"}, None),
            ("my/admin/a.css", "everywhere", {"a": "everywhere", "b": "everywhere"}, None),
        ],
    )
    def test_for_name(
        self, name: str, cache: str, metadata: dict[str, str], language: str | None
    ) -> None:
        found = self.RULES.for_name(name)
        expected: dict[str, Any] = {"CacheControl": cache, "Metadata": metadata}
        assert found == expected | ({"ContentLanguage": language} if language else {})

    def test_result_is_a_copy(self) -> None:
        before = self.RULES.for_name("a.js")
        self.RULES.for_name("a.js")["Metadata"]["a"] = "changed"
        assert self.RULES.for_name("a.js") == before

    def test_extra_headers_may_be_any_iterable(self) -> None:
        rules = HeaderRules.parse({}, (pair for pair in [(".", {"Expires": "2037-01-01"})]))
        assert set(rules.for_name("a")) == set(rules.for_name("b")) == {"Expires"}


def test_merged_does_not_change_its_arguments() -> None:
    first = {"ACL": "private", "Metadata": {"a": "1", "b": "1"}}
    second = {"Metadata": {"b": "2"}, "CacheControl": "x"}
    assert merged(first, second) == {
        "ACL": "private",
        "CacheControl": "x",
        "Metadata": {"a": "1", "b": "2"},
    }
    assert first == {"ACL": "private", "Metadata": {"a": "1", "b": "1"}}
    assert merged() == {}
