import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import project

pytestmark = pytest.mark.ends

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "tools" / "demo.py"
# The variables of a web dyno, with dyno metadata and those that herokuify reads.
DYNO = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_S3_REGION_NAME": "eu-west-1",
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "DATABASE_URL": "sqlite://",
    "DYNO": "web.1",
    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "kestrel-12ab.herokuapp.com",
    "HEROKU_APP_NAME": "kestrel",
    "MAILGUN_SMTP_LOGIN": "postmaster@example.com",
    "MAILGUN_SMTP_PASSWORD": "secret",
    "PORT": "5000",
    "SECRET_KEY": "".join(map(chr, range(33, 127))),
}
# Files that the build leaves in the slug.
BUILT = {
    "staticfiles/staticfiles.json": '{"version": "1.1", "hash": "", "paths": {}}',
    "staticfiles/CACHE/manifest.json": "{}",
}

# Signs the guest book with Django's test client.
SIGN = """
import io, re
from django.test import Client
from django.core.files.uploadedfile import SimpleUploadedFile
from guestbook.models import Entry
from guestbook.validators import PHOTO_MAX_BYTES
from PIL import Image

guest = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")

def send(body, name="photo.png", **fields):
    page = guest.get("/")
    assert page.status_code == 200, page
    fields = {"name": "Ada", "message": "Windy.", **fields}
    token = re.search(r'name="csrfmiddlewaretoken" value="(.+?)"', page.content.decode())[1]
    photo = SimpleUploadedFile(name, body, "image/png")
    return guest.post("/", {**fields, "photo": photo, "csrfmiddlewaretoken": token})

picture = io.BytesIO()
Image.new("RGB", (40, 30), "teal").save(picture, "PNG")
good = picture.getvalue()
"""


def succeed(result: "subprocess.CompletedProcess[str]") -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class TestLocal:
    def test_checks_and_migrations_are_clean(self, example: project.Project) -> None:
        assert "no issues" in succeed(example.manage("check"))
        succeed(example.manage("makemigrations", "--check", "--dry-run"))

    def test_guest_signs_and_reads_the_book(self, example: project.Project) -> None:
        succeed(example.manage("migrate", "--noinput"))
        out = succeed(
            example.snippet(
                SIGN
                + """
empty = guest.get("/").content.decode()
assert "still blank" in empty
for asset in ("css/base.css", "css/book.css", "css/form.css", "js/preview.js", "js/writing.js"):
    assert f"/static/guestbook/{asset}" in empty, asset

signed = send(good, message="<b>Windy</b>")
assert signed.status_code == 302, signed.content
entry = Entry.objects.get()
assert (entry.photo_width, entry.photo_height) == (40, 30)
page = guest.get("/").content.decode()
assert "Thank you, Ada" in page and "still blank" not in page
assert "&lt;b&gt;Windy" in page and "<b>Windy" not in page
assert f'src="{entry.photo.url}"' in page and entry.photo.url.startswith("/media/photos/")
print("signed")
"""
            )
        )
        assert out == "signed\n"
        (photo,) = (example.folder / "media").rglob("*.png")
        assert photo.stat().st_size > 0
        served = example.snippet(
            f"""
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
answer = Client().get("/media/{photo.relative_to(example.folder / "media").as_posix()}")
assert answer.status_code == 200, answer
assert b"".join(answer.streaming_content) == open({str(photo)!r}, "rb").read()
answer.close()
"""
        )
        succeed(served)

    def test_form_refuses_files_that_are_not_photos(self, example: project.Project) -> None:
        succeed(example.manage("migrate", "--noinput"))
        succeed(
            example.snippet(
                SIGN
                + """
import logging
logging.disable(logging.WARNING)
for answer, message in (
    (send(b"no photo at all"), "cannot be read as a photo"),
    (send(good, name="photo.svg"), "choose a JPEG, PNG or WebP photo"),
    (send(good, name="photo.gif"), "choose a JPEG, PNG or WebP photo"),
    (send(good + bytes(PHOTO_MAX_BYTES)), "the book takes up to 10 MB"),
    (send(good, name="photo.png", message=" "), "write a line"),
):
    assert answer.status_code == 422, answer
    page = answer.content.decode()
    assert message in page and "Not in the book yet" in page, page
assert guest.post("/", {"name": "Eve"}).status_code == 403
assert not Entry.objects.exists()
"""
            )
        )

    def test_older_entries_are_on_later_pages(self, example: project.Project) -> None:
        succeed(example.manage("migrate", "--noinput"))
        succeed(
            example.snippet(
                SIGN
                + """
from guestbook.views import ENTRIES_PER_PAGE
Entry.objects.bulk_create(
    Entry(name=f"Guest {n}", message="Hi", photo="a.png", photo_width=1, photo_height=1)
    for n in range(ENTRIES_PER_PAGE + 1)
)
first, second = (guest.get("/", {"page": n}).content.decode() for n in (1, 2))
assert 'rel="next"' in first and 'rel="prev"' in second
assert first.count("<figure>") == ENTRIES_PER_PAGE and second.count("<figure>") == 1
"""
            )
        )

    def test_error_pages_are_the_sites_own(self, example: project.Project) -> None:
        succeed(
            example.snippet(
                """
from django.template.loader import render_to_string
assert "not on our map" in render_to_string("404.html")
assert "Something went wrong" in render_to_string("500.html")
"""
            )
        )

    def test_csp_allows_the_style_of_the_error_page(self, example: project.Project) -> None:
        succeed(
            example.snippet(
                """
import base64, hashlib, re
from django.conf import settings
from django.template.loader import render_to_string
(style,) = re.findall("<style>(.+?)</style>", render_to_string("500.html"), re.DOTALL)
digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
assert f"'sha256-{digest}'" in settings.SECURE_CSP["style-src"], digest
"""
            )
        )


class TestOnHeroku:
    def test_a_dyno_needs_a_secret_key(self, example: project.Project) -> None:
        release = {"DYNO": "release.1", "DATABASE_URL": "sqlite://"}
        result = example.manage("migrate", "--noinput", env=release)
        assert result.returncode != 0
        assert "heroku config:set SECRET_KEY=" in result.stderr

    def test_a_dyno_needs_a_database(self, example: project.Project) -> None:
        result = example.manage("migrate", "--noinput", env={"DYNO": "release.1"})
        assert result.returncode != 0
        assert "heroku addons:create heroku-postgresql" in result.stderr

    def test_a_build_needs_no_variable(self, example: project.Project) -> None:
        build = {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40, "STACK": "heroku-26"}
        succeed(example.manage("collectstatic", "--noinput", "--traceback", env=build))
        succeed(example.manage("compress", env=build))

    def test_post_compile_exits_with_the_commands_status(self, example: project.Project) -> None:
        hook = example.folder / "bin" / "post_compile"
        assert os.access(hook, os.X_OK)
        (example.folder / "manage.py").write_text("raise SystemExit(3)")
        variables = project.clean_environment(example.folder)
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
        result = subprocess.run([hook], cwd=example.folder, env=variables, check=False)
        assert result.returncode == 3

    def test_procfile_is_the_one_to_copy(self) -> None:
        lines = (project.EXAMPLE / "Procfile").read_text(encoding="utf-8").splitlines()
        commands = {line.split(":")[0]: shlex.split(line.split(":", 1)[1]) for line in lines}
        assert commands == {
            "release": ["python", "manage.py", "migrate", "--noinput"],
            "web": ["gunicorn", "-c", "python:herokuify.server", "config.wsgi"],
        }
        assert (ROOT / "Procfile.example").read_text(encoding="utf-8").splitlines() == lines

    def test_deployment_has_no_warning(self, example: project.Project) -> None:
        example.write(BUILT)
        # With any warning, check prints it and exits with 1.
        succeed(example.manage("check", "--deploy", "--fail-level", "DEBUG", env=DYNO))

    def test_only_silenced_checks_would_warn(self, example: project.Project) -> None:
        example.write(BUILT)
        settings = example.folder / "config" / "settings.py"
        lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("SILENCED_SYSTEM_CHECKS")]
        assert len(kept) == len(lines) - 1
        settings.write_text("".join(kept), encoding="utf-8")
        result = example.manage("check", "--deploy", env=DYNO)
        found = set(re.findall(r"\(((?:security|herokuify)\.\w+)\)", result.stderr))
        assert found == {"security.W005", "security.W021"}

    def test_dyno_sends_browsers_to_https(self, example: project.Project) -> None:
        succeed(
            example.snippet(
                """
from django.test import Client
host = "kestrel-12ab.herokuapp.com"
moved = Client(SERVER_NAME=host).get("/admin/")
assert moved.status_code == 301 and moved["Location"] == f"https://{host}/admin/", moved
page = Client(SERVER_NAME=host, HTTP_X_FORWARDED_PROTO="https").get("/admin/")
assert page.status_code == 302 and page["Location"].startswith("/admin/login/"), page
assert page["Strict-Transport-Security"] == "max-age=3600", page.headers
from django.conf import settings
assert settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
stranger = Client(SERVER_NAME="evil.example.com", HTTP_X_FORWARDED_PROTO="https")
assert stranger.get("/admin/").status_code == 400
import django.conf.global_settings
if hasattr(django.conf.global_settings, "SECURE_CSP"):
    policy = page["Content-Security-Policy"]
    assert "script-src 'self' https://my-bucket.s3.eu-west-1.amazonaws.com;" in policy, policy
""",
                env=DYNO,
            )
        )


# On other Djangos the example is deployed by tests/services; CI runs the demo on the wheel, too.
@pytest.mark.once
def test_the_demo_passes_its_own_check(tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    variables = project.clean_environment(tmp_path) | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, str(DEMO), "--check", "--python", sys.executable]
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    report = result.stdout + result.stderr
    assert result.returncode == 0, report
    assert "FAILED" not in report
    assert "passed in" in report
    assert set(tmp_path.iterdir()) == before
