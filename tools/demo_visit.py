"""A visit to the running demo, as with a browser."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlencode, urljoin, urlsplit
from urllib.request import Request

from demo_browser import Answer, Browser, Page, VisitError, multipart, only, random_png

OK, FORBIDDEN, INVALID = 200, 403, 422  # HTTP statuses
CONTENT_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
# With a hash by Django, as in base.5f3c9ab1d2e4.css, or by django-compressor.
HASHED_NAME = re.compile(r"\.[0-9a-f]{12}\.\w+$")
FORM_TYPE = "application/x-www-form-urlencoded"


class Visit:
    """A visit to the site: ``for name, step in visit.steps(): print(step())``.

    ``static_root`` is the folder of the collected files, which S3 must serve.
    """

    def __init__(self, address: str, static_root: Path, admin: tuple[str, str]) -> None:
        self.address = address
        self.static_root = static_root
        self.admin = admin
        self._site = Browser(cookies=True)
        # Static files and photos are on another host, which doesn't get the site's cookies.
        self._s3 = Browser(cookies=False)
        self._photo = random_png()
        self._photo_name = f"summit {secrets.token_hex(4)} 100%.png"

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield each step's name and function, which returns a remark or raises VisitError."""
        yield "the page", self.page
        yield "stylesheet bundle", self.stylesheet
        yield "script bundle", self.script
        yield "font, from the CSS", lambda: self.from_css(".woff2")
        yield "image, from the CSS", lambda: self.from_css(".svg")
        yield "icon", lambda: self.asset(only(self._home().links("link", "href", rel="icon")))
        yield "a bad upload", self.bad_upload
        yield "an upload", self.upload
        yield "the photo, signed", self.photo
        yield "the photo, unsigned", self.unsigned_photo
        yield "the admin's login", self.admin_login
        yield "the admin's list", self.admin_list

    def page(self) -> str:
        """Fetch the page, which must have one bundle of each kind."""
        answer = self._site.get(self.address)
        for link in self._bundles(Page(answer)):
            if "/CACHE/" not in link:
                raise VisitError(f"{link} is no bundle")
        return str(answer)

    def stylesheet(self) -> str:
        """Fetch the page's style sheet."""
        return self.asset(self._bundles(self._home())[0])

    def script(self) -> str:
        """Fetch the page's script."""
        return self.asset(self._bundles(self._home())[1])

    def from_css(self, suffix: str) -> str:
        """Fetch the files of a kind that the style sheet refers to."""
        stylesheet, _ = self._bundles(self._home())
        css = self._s3.get(stylesheet).text
        links = {urljoin(stylesheet, link) for link in re.findall(r"url\(['\"]?([^'\")]+)", css)}
        found = [link for link in links if urlsplit(link).path.endswith(suffix)]
        if not found:
            raise VisitError(f"the stylesheet names no {suffix} file, only {sorted(links)}")
        return "; ".join(self.asset(link) for link in found)

    def asset(self, url: str) -> str:
        """Fetch a static file anonymously, and compare it with the slug's copy."""
        path = urlsplit(url).path
        answer = self._s3.get(url, Origin=self.address.rstrip("/"))
        expected = CONTENT_TYPES.get(Path(path).suffix, "")
        if answer.content_type != expected:
            raise VisitError(f"{url} came as {answer.content_type!r}, not {expected!r}")
        if not HASHED_NAME.search(path):
            raise VisitError(f"{url} has no hash in its name")
        local = self.static_root / unquote(path.partition("/static/")[2])
        if answer.body != local.read_bytes():
            raise VisitError(f"{url} differs from {local}")
        # Without this header, browsers refuse fonts from another host.
        if expected.startswith("font/") and "access-control-allow-origin" not in answer.headers:
            raise VisitError(f"{url} came without Access-Control-Allow-Origin")
        return f"{answer}, {local.name}"

    def bad_upload(self) -> str:
        """Submit a text file as a photo; the form must show an error."""
        answer = self._sign_book(b"This is no photo.")
        if answer.status != INVALID or "cannot be read as a photo" not in answer.text:
            raise VisitError(f"the form took it: {answer}")
        return f"{answer.status}, refused with a message"

    def upload(self) -> str:
        """Submit a photo; the book must show it."""
        answer = self._sign_book(self._photo)
        if answer.status != OK or "Your page is in the book" not in answer.text:
            raise VisitError(f"the form did not take it: {answer}")
        return f"{answer.status} after {len(self._photo)} bytes as {self._photo_name!r}"

    def photo(self) -> str:
        """Fetch the photo by its URL on the page, and compare it with the original."""
        answer = self._s3.get(self._photo_url())
        if answer.body != self._photo or answer.content_type != "image/png":
            raise VisitError(f"what came back is not what was sent: {answer}")
        return f"{answer}, as sent"

    def unsigned_photo(self) -> str:
        """Request the photo without the signature; S3 must refuse."""
        answer = self._s3.open(Request(self._photo_url().split("?")[0]))
        if answer.status != FORBIDDEN:
            raise VisitError(f"anyone can read media: {answer}")
        return "403, refused"

    def admin_login(self) -> str:
        """Open the admin's login page, and fetch its style sheets and scripts."""
        page = Page(self._site.get(urljoin(self.address, "admin/login/")))
        links = page.links("link", "href", rel="stylesheet") + page.links("script", "src")
        for link in links:
            self.asset(link)
        return f"200, and {len(links)} stylesheets and scripts"

    def admin_list(self) -> str:
        """Log in; the list of entries must show the photo."""
        url = urljoin(self.address, "admin/login/?next=/admin/guestbook/entry/")
        name, password = self.admin
        fields = {"username": name, "password": password, **self._token(url)}
        answer = self._site.post(url, urlencode(fields).encode(), FORM_TYPE)
        if not any("/media/" in link for link in Page(answer).links("img", "src")):
            raise VisitError(f"no photo on {answer.url}: {answer}")
        return str(answer)

    def _home(self) -> Page:
        return Page(self._site.get(self.address))

    def _bundles(self, page: Page) -> tuple[str, str]:
        stylesheets = page.links("link", "href", rel="stylesheet")
        return only(stylesheets), only(page.links("script", "src"))

    def _photo_url(self) -> str:
        photos = [link for link in self._home().links("img", "src") if "/media/" in link]
        if not photos:
            raise VisitError("the page shows no photo")
        return photos[0]

    def _token(self, url: str) -> dict[str, str]:
        name = "csrfmiddlewaretoken"
        return {name: only(Page(self._site.get(url)).find("input", "value", name=name))}

    def _sign_book(self, photo: bytes) -> Answer:
        fields = {"name": "Ada", "message": "Up by the north ridge.", **self._token(self.address)}
        return self._site.post(self.address, *multipart(fields, "photo", self._photo_name, photo))
