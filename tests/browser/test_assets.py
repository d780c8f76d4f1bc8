"""Bundles, fonts and images from S3 work in a browser, and its policy forbids other sources."""

import io
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests import deployment
from tests.browser.conftest import Visiting
from tests.browser.sites import Site
from tests.browser.visits import Visit

pytestmark = pytest.mark.newest

FONT = "Bricolage Grotesque"
STYLE = (
    "([selector, name, pseudo]) => getComputedStyle(document.querySelector(selector), pseudo)[name]"
)
FACES = "() => [...document.fonts].map((face) => [face.family, face.status])"
PLATFORM_FONTS = "CSS.getPlatformFontsForNode"


def style(visit: Visit, selector: str, name: str, pseudo: str | None = None) -> str:
    return str(visit.page.evaluate(STYLE, [selector, name, pseudo]))


def fonts_of(visit: Visit, selector: str) -> dict[str, bool]:
    """Return the fonts that render an element, and whether each was downloaded."""
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    found = devtools.send(PLATFORM_FONTS, {"nodeId": node})["fonts"]
    return {font["familyName"]: font["isCustomFont"] for font in found}


def asked(visit: Visit, suffix: str, name: str = "") -> str:
    """Return the only URL with this suffix and name that the page requested."""
    urls = {request.url for request in visit.requests}
    found = [url for url in urls if urlsplit(url).path.endswith(suffix) and f"/{name}" in url]
    assert len(found) == 1, urls
    return found[0]


def on_s3(site: Site, folder: str) -> str:
    return f"{site.app.config['AWS_S3_ENDPOINT_URL']}/{site.app.bucket}/{folder}/"


class TestThePage:
    def test_bundles_are_applied(self, visit: Visit, example_site: Site) -> None:
        assert asked(visit, ".css").startswith(on_s3(example_site, "static/CACHE/css"))
        assert asked(visit, ".js").startswith(on_s3(example_site, "static/CACHE/js"))
        # One rule from each of the bundle's three sources.
        assert style(visit, ".skip", "position") == "absolute"
        assert style(visit, ".book", "display") == "grid"
        assert style(visit, ".field label", "fontWeight") == "600"
        # The script counts characters.
        visit.page.get_by_label("A line or two").fill("Windy.")
        assert visit.page.get_by_text("494 characters left.").is_visible()

    def test_font_is_loaded_across_origins(self, visit: Visit, example_site: Site) -> None:
        assert asked(visit, ".woff2").startswith(on_s3(example_site, "static/guestbook/fonts"))
        assert visit.page.evaluate(FACES) == [[FONT, "loaded"]]
        for name, is_custom in fonts_of(visit, "h1").items():
            assert name.startswith(FONT)
            assert is_custom

    def test_image_from_the_stylesheet_is_shown(self, visit: Visit, example_site: Site) -> None:
        assert asked(visit, ".svg", "ridge").startswith(on_s3(example_site, "static/guestbook/img"))
        box = visit.page.locator(".summit").bounding_box()
        assert box
        foot = {"x": 0, "y": box["y"] + box["height"] - 8, "width": box["width"], "height": 8}
        picture = Image.open(io.BytesIO(visit.page.screenshot(clip=foot)))  # type: ignore[arg-type]
        # The color of the nearest ridge, which isn't in the gradient behind it.
        assert picture.convert("RGB").getcolors() == [(picture.width * 8, (0x14, 0x41, 0x3F))]

    def test_page_and_files_use_https(self, visit: Visit) -> None:
        assert len(visit.requests) >= 5
        assert visit.schemes() <= {"https", "data"}
        assert visit.page.evaluate("isSecureContext")
        assert all(cookie["secure"] for cookie in visit.page.context.cookies())

    def test_every_static_file_is_cached(self, visit: Visit, example_site: Site) -> None:
        static = on_s3(example_site, "static")
        files = [request for request in visit.requests if request.url.startswith(static)]
        assert len(files) >= 4
        for request in files:
            answer = request.response()
            assert answer
            assert "max-age=" in answer.headers["cache-control"], request.url


def test_http_leads_to_https(visiting: Visiting, example_site: Site) -> None:
    with visiting(example_site) as visit:
        answer = visit.page.goto(f"http://{deployment.DOMAIN}/?page=1")
        assert answer
        assert (answer.status, visit.page.url) == (200, f"{example_site.url}?page=1")
        first, *others = visit.requests
        assert first.url.startswith("http://")
        assert {request.url.split(":")[0] for request in others} == {"https"}
        # From now on, the browser makes no request over http (HSTS).
        visit.requests.clear()
        visit.page.goto(f"http://{deployment.DOMAIN}/")
        pages = [request for request in visit.requests if request.is_navigation_request()]
        moved = pages[0].response()
        assert moved
        assert moved.headers.get("non-authoritative-reason") == "HSTS"
        # The response over http has this header, too, which browsers then ignore.
        visit.forget("Cross-Origin-Opener-Policy header has been ignored")


def test_font_needs_the_buckets_cors(visiting: Visiting, ceph_site: Site) -> None:
    """Only Ceph, because moto allows any origin."""
    client = ceph_site.s3.client()
    rules = client.get_bucket_cors(Bucket=ceph_site.app.bucket)["CORSRules"]
    client.delete_bucket_cors(Bucket=ceph_site.app.bucket)
    try:
        with visiting(ceph_site) as visit:
            visit.open()
            assert visit.page.evaluate(FACES) == [[FONT, "error"]]
            assert not any(fonts_of(visit, "h1").values())
            visit.forget("blocked by CORS policy", "net::ERR_FAILED")
    finally:
        client.put_bucket_cors(Bucket=ceph_site.app.bucket, CORSConfiguration={"CORSRules": rules})


@pytest.mark.django_versions(">=6.0")
class TestContentSecurityPolicy:
    def test_is_sent_with_every_page(self, visit: Visit, example_site: Site) -> None:
        answer = visit.open()
        policy = answer.headers["content-security-policy"]
        for kind in ("script", "connect"):  # direct uploads need the second
            s3 = on_s3(example_site, "").split(example_site.app.bucket)[0][:-1]
            assert f"{kind}-src 'self' {s3};" in policy
        assert "unsafe-" not in policy

    def test_inline_scripts_do_not_run(self, visit: Visit) -> None:
        visit.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.intruder = true";
              document.body.append(script);
            }"""
        )
        assert visit.page.evaluate("window.intruder") is None
        visit.forget("Content Security Policy directive 'script-src")

    @pytest.mark.parametrize(
        ("kind", "ask", "told"),
        [
            ("img", "document.body.append(Object.assign(new Image(), {src: url}))", "gif: csp"),
            ("connect", "fetch(url, {method: 'PUT'}).catch(() => {})", "Fetch API cannot load"),
        ],
    )
    def test_other_hosts_are_not_requested(
        self, visit: Visit, kind: str, ask: str, told: str
    ) -> None:
        url = "https://tracker.example/dot.gif"
        violated = visit.page.evaluate(
            f"""(url) => new Promise((resolve) => {{
              document.addEventListener("securitypolicyviolation", (event) =>
                resolve([event.effectiveDirective, event.blockedURI]));
              {ask};
            }})""",
            url,
        )
        assert violated == [f"{kind}-src", url]
        strangers = [request for request in visit.requests if "tracker" in request.url]
        assert all(request.failure == "csp" for request in strangers)
        visit.forget(f'Content Security Policy directive: "{kind}-src', told)
