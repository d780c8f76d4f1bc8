"""Permanent URLs of private uploads: Django's redirects, and S3's responses."""

import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.models import AnonymousUser, User
from django.core.checks import run_checks
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import include, path, set_script_prefix
from django.utils import translation
from pytest_django import Settings

from herokuify.exceptions import ConfigurationError
from herokuify.media.views import redirect_to_file
from herokuify.storage import S3MediaStorage
from tests.servers import S3Server
from tests.storage.helpers import NAMES
from tests.testapp.models import Document

urlpatterns = [path("media/", include("herokuify.media.urls"))]
MEDIA = "herokuify.storage.S3MediaStorage"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ASKED: list[tuple[str, str]] = []


def may_read(request: HttpRequest, storage: Any, name: str) -> bool:
    ASKED.append((storage.location, name))
    return name.startswith("shared/") or request.headers.get("X-Key") == "open"


async def may_read_later(request: HttpRequest, storage: Any, name: str) -> bool:
    return False


def viewed(**options: Any) -> dict[str, Any]:
    return {"BACKEND": MEDIA, "OPTIONS": {"url_view": True, **options}}


@pytest.fixture
def viewed_storage(settings: Settings, name_storages: Any, aws: S3Server) -> Storage:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = MIDDLEWARE
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    ASKED.clear()
    shared = viewed(location="shared", url_permission=f"{__name__}.may_read")
    secret = {"BACKEND": MEDIA, "OPTIONS": {"location": "media/secret"}}
    name_storages(default=viewed(), shared=shared, secret=secret)
    return storages["default"]


@pytest.fixture
def member(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("ada"), "django.contrib.auth.backends.ModelBackend")
    return client


def fetched(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, method=method, headers=headers)) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        error.close()
        return error.code, b""


def test_member(viewed_storage: Any, member: Client) -> None:
    """Any name, HEAD requests and ranges."""
    document = Document(file=viewed_storage.save("a.txt", ContentFile(b"0123456789")))
    assert document.file.url == "/media/a.txt"
    for name in NAMES:
        viewed_storage.save(name, ContentFile(b"0123456789"))
        saved = name.strip("/")
        answer = member.get(viewed_storage.url(saved))
        assert answer.status_code == 302, name
        assert fetched(answer["Location"]) == (200, b"0123456789")
    answer = member.get(document.file.url)
    assert fetched(answer["Location"], Range="bytes=2-4") == (206, b"234")
    head = member.head(document.file.url)
    assert head.status_code == 302
    assert fetched(head["Location"], "HEAD") == (200, b"")
    # Redirects are private, and cached for less time than the signature is valid.
    assert answer["Cache-Control"] == "private, max-age=300"
    assert {"Cookie", "Authorization"} <= set(re.split(", *", answer["Vary"]))
    short = S3MediaStorage(url_view=True, querystring_expire=60)
    storages._storages["default"] = short  # type: ignore[attr-defined]
    assert member.get("/media/a.txt")["Cache-Control"] == "private, max-age=15"
    # With arguments, url() returns a signed URL.
    for url in (
        viewed_storage.url("a.txt", expire=5),
        viewed_storage.url("a.txt", http_method="HEAD"),
    ):
        assert "X-Amz-Signature" in url


def test_strangers(viewed_storage: Any, member: Client, client: Client, settings: Settings) -> None:
    viewed_storage.save("a.txt", ContentFile(b"x"))
    # They don't learn which files exist.
    for name in ("a.txt", "absent.txt", "-/shared/a", "-/nonesuch/a", "secret/x.txt", "a//b"):
        answer = client.get(f"/media/{name}")
        assert answer["Location"] == f"/accounts/login/?next=/media/{name}"
    assert member.get("/media/absent.txt").status_code == 404
    assert member.get("/media/-/nonesuch/a").status_code == 404
    for method in ("post", "put", "delete", "options"):
        assert getattr(member, method)("/media/a.txt").status_code == 405
    # Without users, there is no login.
    settings.MIDDLEWARE = []
    assert Client().get("/media/a.txt").status_code == 403


@pytest.mark.usefixtures("viewed_storage")
@pytest.mark.parametrize(
    "name",
    [
        *("../shared/a.txt", "x/../a.txt", "./a.txt", "a//b.txt", "/a.txt", "//evil.example/a"),
        *("x/../../shared/a.txt", "a\\b.txt", "..", ".", "secret/x.txt", "secret", "a.txt/"),
        *("https://evil.example/", "-/secret/x.txt", "-/staticfiles/x.txt", "-/shared/../a.txt"),
    ],
)
def test_names_of_other_files(name: str, member: Client, aws: S3Server) -> None:
    """Other spellings, other storages and other sites."""
    S3MediaStorage(location="").save("a.txt", ContentFile(b"x"))
    for location in ("media", "shared", "media/secret", "static", "media/a"):
        for file in ("a.txt", "b.txt", "x.txt"):
            S3MediaStorage(location=location).save(file, ContentFile(b"x"))
    request = RequestFactory().get("/")
    request.user = User(username="ada")
    # Called directly with the unchanged name, and by a request.
    with pytest.raises(Exception, match="^$") as caught:
        redirect_to_file(request, name)
    assert type(caught.value).__name__ == "Http404"
    answer = member.get(f"/media/{name}")
    if answer.status_code == 403:  # url_permission refuses
        assert "shared" in name
    elif answer.status_code == 302:  # the client normalized it
        assert ".." in name or "./" in name
    else:
        assert answer.status_code == 404
    assert all(asked == re.sub(r"/\.+/", "/", asked) for _, asked in ASKED)


def test_permission(viewed_storage: Any, member: Client, client: Client, aws: S3Server) -> None:
    shared: Any = storages["shared"]
    shared.save("shared/a.txt", ContentFile(b"x"))
    shared.save("b.txt", ContentFile(b"x"))
    url = shared.url("shared/a.txt")
    assert url == "/media/-/shared/shared/a.txt"
    assert fetched(client.get(url)["Location"]) == (200, b"x")
    assert ASKED == [("shared", "shared/a.txt")]
    # Users need the permission, too; it is checked before the file exists.
    for name in ("b.txt", "absent.txt"):
        assert member.get(shared.url(name)).status_code == 403
        assert client.get(shared.url(name))["Location"].startswith("/accounts/login/?next=")
    assert client.get(shared.url("b.txt"), HTTP_X_KEY="open").status_code == 302
    assert client.get(shared.url("shared/absent.txt")).status_code == 404
    # A name that looks like another storage's.
    assert viewed_storage.url("-/shared/b.txt") == "/media/-/default/-/shared/b.txt"
    viewed_storage.save("-/shared/b.txt", ContentFile(b"y"))
    assert fetched(member.get(viewed_storage.url("-/shared/b.txt"))["Location"]) == (200, b"y")


def test_url_permission_must_not_be_a_coroutine(
    viewed_storage: Any, name_storages: Any, client: Client
) -> None:
    name_storages(default=viewed(url_permission=may_read_later))
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with (
        pytest.warns(RuntimeWarning, match="never awaited"),
        pytest.raises(ConfigurationError, match="coroutine"),
    ):
        redirect_to_file(request, "a.txt")


@pytest.mark.usefixtures("no_sockets")
class TestUrl:
    @pytest.fixture(autouse=True)
    def url_settings(self, settings: Settings, name_storages: Any) -> None:
        settings.ROOT_URLCONF = __name__
        settings.AWS_STORAGE_BUCKET_NAME = "my-bucket"
        name_storages(default=viewed(), invoices=viewed(location="invoices"))

    def test_is_a_path(self) -> None:
        assert storages["default"].url("a b/ü?.png") == "/media/a%20b/%C3%BC%3F.png"
        assert storages["invoices"].url("a.pdf") == "/media/-/invoices/a.pdf"
        assert storages["default"].url("./a//b.png") == "/media/a/b.png"
        with pytest.raises(SuspiciousFileOperation):
            storages["default"].url("../a.png")
        # Another instance, such as a field's.
        assert S3MediaStorage(url_view=True).url("a.png") == "/media/a.png"

    def test_follows_prefixes(self, settings: Settings) -> None:
        set_script_prefix("/app/")
        try:
            assert storages["default"].url("a.png") == "/app/media/a.png"
        finally:
            set_script_prefix("/")

    def test_i18n_patterns(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = type(
            "Urls", (), {"urlpatterns": i18n_patterns(*urlpatterns), "__hash__": object.__hash__}
        )
        with translation.override("de"):
            assert storages["default"].url("a.png") == "/de/media/a.png"

    @pytest.mark.parametrize(
        ("options", "part", "hint"),
        [
            ({}, 'url_view of STORAGES["default"] is set, but no URL', "herokuify.media.urls"),
            ({"url_permission": "nonesuch.may"}, "'nonesuch.may', can't be imported", "function"),
            ({"url_permission": 5}, "5, is not a function", "(request, storage, name)"),
        ],
    )
    def test_check(
        self, settings: Settings, name_storages: Any, options: Any, part: str, hint: str
    ) -> None:
        def errors() -> list[Any]:
            found = run_checks(tags=["herokuify"])
            return [one for one in found if one.id == "herokuify.E015"]

        assert errors() == []
        if not options:
            settings.ROOT_URLCONF = type(
                "Urls", (), {"urlpatterns": [], "__hash__": object.__hash__}
            )
        name_storages(default=viewed(**options))
        (error,) = errors()
        assert part in error.msg
        assert hint in error.hint

    def test_check_of_a_field(self, monkeypatch: pytest.MonkeyPatch) -> None:
        own = S3MediaStorage(location="own", url_view=True)
        monkeypatch.setattr(Document._meta.get_field("file"), "storage", own)
        found = [one for one in run_checks(tags=["herokuify"]) if one.id == "herokuify.E015"]
        assert "not in STORAGES" in found[0].msg
