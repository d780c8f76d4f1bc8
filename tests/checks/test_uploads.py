from typing import Any

import pytest
from django.http import HttpRequest

from herokuify.uploads.claims import MIDDLEWARE
from tests.checks.conftest import MEDIA, Found, ids, only, storages

RULES: dict[str, Any] = {"testapp.Document.file": {"max_size": 10}}
SITE: dict[str, Any] = {
    "HEROKUIFY_DIRECT_UPLOADS": RULES,
    "MIDDLEWARE": [MIDDLEWARE],
    "ROOT_URLCONF": "tests.uploads.site",
    "MEDIA_URL": "https://my-bucket.s3.amazonaws.com/media/",
}


def anyone(request: HttpRequest) -> bool:
    return True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"types": ["image/*"], "who": "anyone", "max_pending": 20},
        {"who": f"{__name__}.anyone"},
        {"who": anyone},
    ],
)
def test_correct_rules_are_fine(found: Found, options: dict[str, Any]) -> None:
    rules = {
        "testapp.Document.file": {"max_size": 10, **options},
        "notes": {"max_size": 10, "who": "users", "storage": "default"},
    }
    assert found("dyno", **{**SITE, "HEROKUIFY_DIRECT_UPLOADS": rules}) == []


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "told"),
        [
            ([], ""),
            ({"testapp.Document.file": 10}, "is not a dict"),
            ({"testapp.Document.file": {}}, "is None; it must be a number of bytes"),
            ({"testapp.Document.file": {"max_size": True}}, "is True"),
            ({"testapp.Document.file": {"max_size": 2**60}}, "up to 5 TB"),
            (
                {"testapp.Document.file": {"max_size": 1, "maxsize": 1}},
                "'maxsize', which is not an option",
            ),
            ({"testapp.Document.file": {"max_size": 1, "types": "image/*"}}, "list of content"),
            ({"testapp.Document.file": {"max_size": 1, "who": "all"}}, "is 'all'"),
            ({"testapp.Document.file": {"max_size": 1, "who": "no.such"}}, "No module named"),
            ({"testapp.Document.file": {"max_size": 1, "storage": "x"}}, "has its own storage"),
            ({"testapp.Document.pk": {"max_size": 1}}, "there is no FileField"),
            ({"testapp.document.file": {"max_size": 1}}, "there is no FileField"),
            ({"nowhere.Document.file": {"max_size": 1}}, "there is no FileField"),
            ({"notes": {"max_size": 1}}, "not a model field needs it"),
        ],
    )
    def test_mistakes_are_errors(self, found: Found, rules: Any, told: str) -> None:
        messages = found(**{**SITE, "HEROKUIFY_DIRECT_UPLOADS": rules})
        if rules:
            assert told in only(messages, "E020")
        else:
            assert messages == []


class TestParts:
    def test_each_missing_part_is_reported(self, found: Found) -> None:
        messages = found(**{**SITE, "MIDDLEWARE": [], "ROOT_URLCONF": "django.contrib.auth.urls"})
        assert ids(messages) == ["E019", "E019"]
        assert MIDDLEWARE in str(messages[0])
        assert "herokuify.uploads.urls" in str(messages[1])


class TestPending:
    def test_public_location_is_an_error(self, found: Found) -> None:
        # STATIC_URL doesn't lead to pending/static, which is E002.
        assert ids(found(**SITE, AWS_PUBLIC_LOCATION="pending")) == ["E002", "E018"]


class TestPolicy:
    CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"

    @pytest.mark.parametrize(
        ("policy", "is_told"),
        [
            ({"default-src": ["'self'"]}, True),
            ({"default-src": ["*"], "connect-src": ["'self'"]}, True),
            ({"connect-src": ["ws://my-bucket.s3.amazonaws.com"]}, True),
            ({"connect-src": ["http://my-bucket.s3.amazonaws.com"]}, False),
            ({"connect-src": ["https://my-bucket.s3.amazonaws.com"]}, False),
            ({"connect-src": ["https://*.s3.amazonaws.com"]}, False),
            ({"connect-src": ["https:"]}, False),
            ({"img-src": ["'self'"]}, False),
        ],
    )
    def test_must_allow_the_bucket(
        self, found: Found, policy: dict[str, Any], is_told: bool
    ) -> None:
        site = {**SITE, "MIDDLEWARE": [MIDDLEWARE, self.CSP], "SECURE_CSP": policy}
        messages = found(**site)
        if is_told:
            assert "https://my-bucket.s3.amazonaws.com" in only(messages, "W018")
        else:
            assert messages == []


def test_cloudcube_is_reported(found: Found) -> None:
    changes = {
        "AWS_STORAGE_BUCKET_NAME": "cloud-cube-eu",
        "STATIC_URL": "https://cloud-cube-eu.s3.amazonaws.com/static/",
        "STORAGES": storages(media=MEDIA),
    }
    assert "belongs to Cloudcube" in only(found(**{**SITE, **changes}), "W019")
