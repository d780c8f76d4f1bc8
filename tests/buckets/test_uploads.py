"""The bucket's configuration for direct uploads."""

from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from herokuify.buckets.current import NOTHING
from herokuify.buckets.desired import Desired, Options
from herokuify.buckets.iam import app_policy
from herokuify.buckets.plan import plan
from herokuify.s3.policies import CORS_ID
from tests.buckets.conftest import MEDIA, STATIC, run, steps
from tests.servers import S3Server, client_of

ORIGIN = "https://www.example.com"
HEADERS = ("content-type", "if-none-match", "x-amz-meta-herokuify-upload")
SITE = Desired(
    *("b", "eu-west-1", ("static",), ("media",), Options((ORIGIN,))),
    pending=("pending",),
    upload_headers=HEADERS,
)
EMPTY = replace(NOTHING, exists=True)


def rules_of(desired: Desired, name: str) -> list[dict[str, Any]]:
    (step,) = [one for one in plan(EMPTY, desired) if one.name == name]
    (configuration,) = step.parameters.values() if step.parameters else [{"Rules": []}]
    (rules,) = configuration.values()
    return list(rules)


class TestPlan:
    def test_of_cors(self) -> None:
        wanted = {
            "ID": CORS_ID,
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedOrigins": [ORIGIN],
            "AllowedHeaders": [*HEADERS],
            "MaxAgeSeconds": 3600,
        }
        assert rules_of(SITE, "CORS") == [wanted]
        assert rules_of(replace(SITE, public=()), "CORS") == [wanted]

    @pytest.mark.parametrize("origins", [(), ("*",)])
    def test_of_cors_never_allows_uploads_from_any_site(self, origins: tuple[str, ...]) -> None:
        unknown = replace(SITE, options=Options(origins))
        (rule,) = rules_of(unknown, "CORS")
        assert rule["AllowedMethods"] == ["GET", "HEAD"]
        assert rules_of(replace(unknown, public=()), "CORS") == []

    def test_of_the_lifecycle(self) -> None:
        (rule,) = [one for one in rules_of(SITE, "lifecycle") if "Expiration" in one]
        assert rule["Filter"] == {"Prefix": "pending/"}
        assert rule["Expiration"] == {"Days": 1}
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}

    def test_of_permissions(self) -> None:
        policy = app_policy([SITE], compresses=False)
        assert policy is not None
        statements = {one["Sid"]: one for one in policy["Statement"]}
        files = statements["PendingFiles1"]
        assert "s3:ListMultipartUploadParts" in files["Action"]
        assert files["Resource"] == ["arn:aws:s3:::b/pending/*"]
        prefixes = statements["PendingListing1"]["Condition"]["StringLike"]["s3:prefix"]
        assert prefixes == ["pending/*"]


def test_command_configures_the_bucket(
    aws: S3Server, bucket: str, settings: Settings, name_storages: Any
) -> None:
    name_storages(default=MEDIA, staticfiles=STATIC)
    settings.ALLOWED_HOSTS = ["www.example.com"]
    settings.HEROKUIFY_DIRECT_UPLOADS = {"testapp.Document.file": {"max_size": 10}}
    plan = steps()
    assert f"+ uploads from pages of {ORIGIN}" in plan["CORS"]["lines"]
    run("--apply")
    assert {one["state"] for one in steps().values()} <= {"same", "unsupported"}
    rules = client_of(aws).get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert [one["AllowedHeaders"] for one in rules] == [[*HEADERS]]
    assert all("ExposeHeaders" not in one for one in rules)
    # Without direct uploads, the rule no longer allows PUT.
    settings.HEROKUIFY_DIRECT_UPLOADS = {}
    run("--apply")
    rules = client_of(aws).get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert [set(one["AllowedMethods"]) for one in rules] == [{"GET", "HEAD"}]
