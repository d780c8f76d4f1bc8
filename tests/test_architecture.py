import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import herokuify

PACKAGE = Path(herokuify.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FRAGMENTS = {"aws", "cache", "celery", "common", "compress", "db", "mail", "redis", "server"} | {
    "storages"
}
# Modules that settings name by dotted path; nothing imports them while settings load.
NAMED = {"mail/backend.py", "mail/handler.py", "server/logger.py"}
# Modules at a public path that belong to another part.
SHIMS = {"storage/offline.py": "collect"}
# Low to high: a module imports only from layers below its own, and within its own layer
# only inside one sub-package.
LAYERS = [
    {"platforms"},
    {"exceptions"},
    {"env"},
    {"conf", "legacy", "logs"},
    FRAGMENTS,
    {"celeryredis", "memcached", "middleware", "rediscache", "routers"},
    {"s3"},
    {"storage"},
    {"media"},
    {"collect", "uploads"},
    {"buckets"},
    {"checks"},
    {"doctor"},
    {"init", "management"},
    {"__main__", "apps"},
]
# Third-party packages, and the only parts of herokuify that may import them.
OUTSIDE = {
    "bmemcached": {"memcached"},
    "boto3": {"s3"},
    "botocore": {"s3"},
    "compressor": {"collect", "management"},
    "dj_database_url": {"conf"},
    "django_cleanup": {"apps"},
    "gunicorn": {"server"},
    "storages": {"storage", "uploads"},
    "urllib3": {"s3"},
}
# Packages that s3 imports only when there is a request to send.
LATE = {"boto3", "botocore", "urllib3"}
MOST_LINES = 500


def part(module: Path) -> str:
    """Name the part of herokuify that a file belongs to: "storage" for storage/media.py."""
    relative = module.relative_to(PACKAGE)
    if relative.as_posix() in SHIMS:
        return SHIMS[relative.as_posix()]
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported(module: Path, *, at_import: bool = False) -> Iterator[str]:
    """Yield the dotted names that a file imports: all of them, or only those at import time."""
    for node in nodes(ast.parse(module.read_text(encoding="utf-8")), at_import=at_import):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def nodes(tree: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """Yield all nodes below ``tree``; with ``at_import``, only of code that runs at import."""
    for node in ast.iter_child_nodes(tree):
        if at_import and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if at_import and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from nodes(node, at_import=at_import)


def layer(name: str) -> int:
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    raise AssertionError(f"herokuify.{name} is in no layer: see docs/architecture.md")


def parts_imported(module: Path) -> set[str]:
    names = [name.split(".") for name in imported(module) if name.startswith("herokuify")]
    return {name[1] if len(name) > 1 else "__init__" for name in names} - {part(module)}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
class TestModule:
    def test_imports_only_from_layers_below(self, module: Path) -> None:
        if part(module) == "__init__":  # re-exports the fragments' functions
            assert parts_imported(module) <= FRAGMENTS
            return
        own = layer(part(module))
        upward = {name for name in parts_imported(module) if layer(name) >= own}
        assert not upward, f"{module.name} imports from its own layer or above: {upward}"

    def test_imports_third_parties_where_allowed(self, module: Path) -> None:
        packages = {name.split(".")[0] for name in imported(module)}
        strayed = {name for name in packages & set(OUTSIDE) if part(module) not in OUTSIDE[name]}
        assert not strayed

    def test_loads_no_boto3_at_import(self, module: Path) -> None:
        assert not LATE & {name.split(".")[0] for name in imported(module, at_import=True)}

    def test_only_legacy_compares_django_versions(self, module: Path) -> None:
        if part(module) == "legacy":
            return
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            assert name not in {"VERSION", "get_version"}, f"line {getattr(node, 'lineno', '?')}"
        assert not {"django.VERSION", "django.get_version"} & set(imported(module))

    def test_is_not_too_long(self, module: Path) -> None:
        assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def modules_of(parts: set[str]) -> list[Path]:
    return [module for module in MODULES if part(module) in parts]


def test_settings_files_can_import_the_fragments() -> None:
    allowed = ("django.core.checks", "django.core.exceptions")
    fragments = LAYERS.index(FRAGMENTS)
    for module in modules_of(set().union(*LAYERS[: fragments + 1])):
        if module.relative_to(PACKAGE).as_posix() in NAMED:
            continue
        names = set(imported(module, at_import=True))
        django = {name for name in names if name.split(".")[0] == "django"}
        assert all(name.startswith(allowed) for name in django), f"{module.name}: {django}"


def test_nothing_imports_what_settings_name() -> None:
    named = {f"herokuify.{name[:-3].replace('/', '.')}" for name in NAMED | set(SHIMS)}
    for module in MODULES:
        found = {name for name in imported(module) if name.rpartition(".")[0] in named}
        assert not found, module


def dotted(module: Path) -> str:
    name = ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


def test_modules_have_no_import_cycles() -> None:
    names = {dotted(module) for module in MODULES}
    edges: dict[str, set[str]] = {}
    for module in MODULES:
        # "a.b.c" is the module c of a.b, or the name c in the module a.b.
        found = {one if one in names else one.rpartition(".")[0] for one in imported(module)}
        edges[dotted(module)] = found & names
    while leaves := {name for name, others in edges.items() if not others}:
        edges = {name: others - leaves for name, others in edges.items() if name not in leaves}
    assert not edges, f"the cycles are among {sorted(edges)}"


@pytest.mark.source_tree
def test_picture_is_up_to_date() -> None:
    root = PACKAGE.parent
    drawn = subprocess.run(
        [sys.executable, root / "tools" / "picture.py", "--print"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    picture = (root / "docs" / "layers.svg").read_text(encoding="utf-8")
    assert picture == drawn, "run: python3 tools/picture.py"
