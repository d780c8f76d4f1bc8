"""A shop that is built as on Heroku, and rendered as on a dyno."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.project import Project, Run
from tests.projects import heroku, shop
from tests.projects.aws import Aws
from tests.projects.crawl import Answer, crawl, links, names
from tests.servers import S3Server

#: Files that compress writes for collectstatic, only on the disk.
OF_COMPRESS = {"CACHE/manifest.json", "CACHE/herokuify-bundles.json"}
RENDER = """
import json
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.apps import apps
from django.template import Context
from django.template.loader import get_template
from django.template.utils import get_app_template_dirs
from django.templatetags.static import StaticNode
from django.test import Client

def static_urls():
    for folder in get_app_template_dirs("templates"):
        for path in sorted(folder.rglob("*.html")):
            template = get_template(path.relative_to(folder).as_posix()).template
            for node in template.nodelist.get_nodes_by_type(StaticNode):
                if isinstance(node.path.var, str):
                    yield node.render(Context())

def pages():
    paths = ["/", "/about/"]
    client = Client()
    if apps.is_installed("django.contrib.admin"):
        call_command("migrate", run_syncdb=True, verbosity=0)
        user = get_user_model().objects.create_superuser("ada")
        yield "/admin/login/", client.get("/admin/login/")
        client.force_login(user)
        model = "/admin/auth/user/"
        paths += ["/admin/", "/admin/shop/photo/add/", "/admin/shop/photo/", model,
                  f"{model}add/", f"{model}{user.pk}/change/", f"{model}{user.pk}/delete/",
                  f"{model}{user.pk}/history/", f"{model}{user.pk}/password/"]
    for path in paths:
        yield path, client.get(path)

rendered = {}
for path, response in pages():
    assert response.status_code == 200, (path, response.status_code)
    rendered[path] = response.content.decode()
print(json.dumps({"pages": rendered, "static": sorted(set(static_urls()))}))
"""


@dataclass(frozen=True)
class Site:
    """A shop in a folder, with a bucket on a server."""

    project: Project
    server: S3Server | Aws
    bucket: str

    @property
    def static_root(self) -> Path:
        """Return STATIC_ROOT."""
        return self.project.folder / "staticfiles"

    @property
    def origin(self) -> str:
        """Return the URL below which S3 serves the static files."""
        path = "/".join(filter(None, (self.project.environment.get("AWS_LOCATION"), "static/")))
        if isinstance(self.server, Aws):
            return f"https://{self.bucket}.s3.amazonaws.com/{path}"
        return f"{self.server.endpoint_url}/{self.bucket}/{path}"

    def collectstatic(self) -> Run:
        """Run collectstatic as Heroku's classic buildpack does."""
        return heroku.collectstatic(self.project)

    def compress(self) -> Run:
        """Run compress as bin/post_compile does."""
        return heroku.manage(self.project, "compress", "--traceback")

    def release(self) -> Run:
        """Run collectstatic as a Procfile's release command, on a separate dyno."""
        return self.project.manage("collectstatic", "--noinput", env=heroku.RELEASE)

    def build(self, *, compress: bool = True) -> None:
        """Run both steps, each in a separate process; they must succeed."""
        succeeded(self.collectstatic())
        if compress:
            result = succeeded(self.compress())
            # If compressor's threads fail, it reports 0 blocks and no error.
            assert re.search(r"Compressed [1-9]\d* block", result.stdout), result.stdout

    def render(self) -> "Rendered":
        """Render all pages and all ``{% static %}`` tags in a process without sockets."""
        result = succeeded(self.project.snippet(RENDER, sockets=False))
        answer = json.loads(result.stdout)
        return Rendered(answer["pages"], answer["static"])

    def load_pages(
        self, static_url: str = "", rendered: "Rendered | None" = None
    ) -> dict[str, bytes]:
        """Load all static files of the pages from S3; return their content by name.

        Pages are rendered unless ``rendered`` is given. Requests for ``static_url``, such as a
        CDN's URL, are sent to S3.
        """
        static_url = static_url or self.origin

        def get(url: str) -> Answer:
            return self.get(url.replace(static_url, self.origin, 1))

        rendered = rendered or self.render()
        crawl(rendered.static, static_url, get)
        loaded = set[str]().union(*map(links, rendered.pages.values()))
        loaded.discard("/admin/jsi18n/")  # a view
        return names(crawl(loaded, static_url, get), static_url)

    def get(self, url: str) -> Answer:
        """GET a URL anonymously, as a browser does."""
        return self.server.fetch(url) if isinstance(self.server, Aws) else fetch(url)

    def local(self) -> dict[str, bytes]:
        """Return the files below STATIC_ROOT."""
        return tree(self.static_root)

    def remote(self, prefix: str = "static/") -> dict[str, bytes]:
        """Return the objects below a prefix by the rest of their keys."""
        client = self.server.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key.removeprefix(prefix): client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            for key in keys
        }


@dataclass(frozen=True)
class Rendered:
    """The pages, and the URLs of all ``{% static %}`` tags."""

    pages: dict[str, str]
    static: list[str]


def lay_out(project: Project) -> None:
    """Write the shop's files into a project."""
    project.write(shop.TEXTS)
    for name, content in shop.BINARIES.items():
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def succeeded(result: Run) -> Run:
    """Return the result, and assert that the command succeeded."""
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result


def bundles(found: Iterable[str]) -> set[str]:
    """Return the names of compressor's bundles, with "#" for each hash."""
    return {re.sub(r"[0-9a-f]{12}", "#", name) for name in found if name.startswith("CACHE/")}


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder by their relative paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def fetch(url: str) -> Answer:
    """GET a URL without credentials, except for those in the URL."""
    try:
        with urlopen(url) as response:
            return Answer(response.status, response.headers.get_content_type(), response.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, "", b"")
