"""Static files for the tests, some with names and references that are hard to handle."""

import random
from collections.abc import Mapping

Files = Mapping[str, str | bytes]

#: A small, ordinary site: a stylesheet that imports another, an image, a script.
SMALL: Files = {
    "css/site.css": '@import "base.css";\nbody { background: url("../img/dot.png") }\n',
    "css/base.css": "html { color: black }\n",
    "img/dot.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "js/site.js": "console.log('ready');\n",
    "robots.txt": "User-agent: *\n",
}

NASTY: Files = {
    # A chain of @imports, four deep, across folders.
    "chain/1.css": '@import "deep/2.css";',
    "chain/deep/2.css": "@import url('../deep/er/3.css');",
    "chain/deep/er/3.css": '@import url("../../4.css") screen;',
    "chain/4.css": "p { background: url(deep/er/leaf.svg#icon) }",
    "chain/deep/er/leaf.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    # Every way to write a reference.
    "css/refs.css": """\
@charset "utf-8";
/* url(../img/plain.gif) */
.a { background: url(../img/plain.gif) }
.b { background: url('../img/quoted.gif') }
.c { background: url("../img/with space.gif") }
.d { background: url(../img/with%20space.gif) }
.e { background: url(  ../img/plain.gif) }
.f { background: url(data:image/gif;base64,R0lGODlhAQABAAAAACw=) }
.g { background: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E") }
.h { background: url(https://example.com/x.png) url(//example.com/y.png) url(/elsewhere/z.png) }
.i { background: url(#local) }
.j { background: url("../img/umlaut-äöü.gif") url(../img/umlaut-%C3%A4%C3%B6%C3%BC.gif) }
.k { background: url(../img/../img/./plain.gif) }
.l { background: URL(../img/plain.gif) }
.m { background: url(../img/) }
@font-face { src: url(../fonts/f.eot?#iefix) format("eot"), url("../fonts/f.svg#f") format("svg"),
  url('../fonts/f.woff2?v=4.7.0#x') format("woff2") }
""",
    "css/mapped.css": "a{}\n/*# sourceMappingURL=mapped.css.map */",
    "css/mapped.css.map": '{"version": 3}',
    "css/empty.css": "",
    "css/bom.css": "\ufeffa { background: url(../img/plain.gif) }",
    "css/crlf.css": 'a {}\r\n@import "empty.css";\r\n',
    "css/query-import.css": '@import url("../chain/1.css?v=2");',
    "js/app.js": """\
import { a } from "./lib/a.js";
import * as b from './lib/b.mjs.js';
export { a } from "./lib/a.js";
const lazy = () => import("./lib/lazy.js");
// import { c } from "./lib/a.js";
import "./side-effect.js";
""",
    "js/lib/a.js": 'import { deep } from "../lib/deep/deep.js";\nexport const a = deep;\n',
    "js/lib/deep/deep.js": "export const deep = 1;\n",
    "js/lib/b.mjs.js": "export const b = 2;\n",
    "js/lib/lazy.js": 'export default "lazy";\n',
    "js/side-effect.js": "window.loaded = true;\n//# sourceMappingURL=side-effect.js.map\n",
    "js/side-effect.js.map": "{}",
    "img/plain.gif": b"GIF89a",
    "img/quoted.gif": b"GIF89a" + b"\0" * 4000,
    "img/with space.gif": b"GIF89a space",
    "img/umlaut-äöü.gif": b"GIF89a umlaut",
    "img/100%.gif": b"GIF89a percent",
    "img/a%20b.gif": b"GIF89a looks quoted",
    "img/hash#tag.gif": b"GIF89a hash",
    "img/plus+amp&eq=.gif": b"GIF89a plus",
    "img/quote'd (1).gif": b"GIF89a quote",
    "img/日本語.png": b"PNG",
    "img/dots..in.name.min.gif": b"GIF89a dots",
    "fonts/f.eot": b"eot",
    "fonts/f.svg": "<svg/>",
    "fonts/f.woff2": b"wOF2",
    "empty.bin": b"",
    "no-suffix": "text",
    "UPPER.CSS": "a { background: url(img/plain.gif) }",
    "data/site.tar.gz": b"\x1f\x8b" + bytes(100),
    "data/twice.txt": "the same",
    "data/again.txt": "the same",
}


def graph(seed: int, *, cycles: bool = False) -> dict[str, str | bytes]:
    """Make stylesheets in random folders, with random references to each other and to images.

    Without ``cycles`` a sheet refers only to sheets made before it, so that hashing ends.
    """
    chance = random.Random(seed)
    folders = ["", "a/", "b/", "a/c/", "a/c/d/", "with space/"]
    files: dict[str, str | bytes] = {
        f"{chance.choice(folders)}{number}.png": chance.randbytes(chance.randrange(1, 50))
        for number in range(chance.randrange(1, 6))
    }
    images = list(files)
    sheets: list[str] = []
    count = chance.randrange(2, 12)
    names = [f"{chance.choice(folders)}sheet{number}.css" for number in range(count)]
    chance.shuffle(names)
    for name in names:
        known = names if cycles else sheets
        targets = [chance.choice([*known, *images]) for _ in range(chance.randrange(4))]
        files[name] = "\n".join(_reference(chance, name, target) for target in targets)
        sheets.append(name)
    order = list(files)
    chance.shuffle(order)
    return {name: files[name] for name in order}


def _reference(chance: random.Random, source: str, target: str) -> str:
    path = "../" * source.count("/") + target
    if chance.random() < 0.2:
        path = path.replace(" ", "%20")
    suffix = chance.choice(["", "", "", "#part", "?v=1", "?#iefix"])
    if target.endswith(".css"):
        return chance.choice(['@import "{}";', "@import url({});", "@import url('{}');"]).format(
            path + suffix
        )
    return chance.choice(["a {{ b: url({}) }}", 'a {{ b: url("{}") }}']).format(path + suffix)
