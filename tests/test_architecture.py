import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import herokuify

PACKAGE = Path(herokuify.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FRAGMENTS = {"aws", "cache", "celery", "common", "compress", "db", "mail", "server"}
# What settings name by a dotted path, and nothing imports while settings are being made.
NAMED = {"mail/backend.py", "server/logger.py"}
# Low to high: a module imports only from layers below its own, and within its own layer
# only inside one sub-package.
LAYERS = [
    {"exceptions"},
    {"env", "extras"},
    {"addresses", "classic", "database_urls", "hosts", "key_value", "logs"},
    {"addons"},
    FRAGMENTS,
    {"compat", "memcached", "middleware", "routers"},
    {"collect"},
    {"storage"},
    {"doctor", "provision"},
    {"checks", "cleanup", "management"},
    {"apps"},
]
# Third-party packages, and the only parts of herokuify that may import them.
OUTSIDE = {
    "awscrt": {"collect"},
    "bmemcached": {"memcached"},
    "boto3": {"collect", "storage"},
    "botocore": {"collect", "doctor", "provision", "storage"},
    "compressor": {"management", "storage"},
    "dj_database_url": {"database_urls"},
    "gunicorn": {"server"},
    "django_cleanup": {"apps"},
    "s3transfer": {"storage"},
    "storages": {"storage"},
    "urllib3": {"storage"},
}
MOST_LINES = 260


def part(module: Path) -> str:
    """Name the part of herokuify that a file belongs to: "storage" for storage/media.py."""
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported(module: Path, *, at_import: bool = False) -> Iterator[str]:
    """Yield the dotted names a file imports anywhere, or only those it imports at import."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in tree.body if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> int:
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    raise AssertionError(f"herokuify.{name} stands in no layer: see docs/architecture.md")


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

    def test_only_compat_compares_django_versions(self, module: Path) -> None:
        if part(module) == "compat":
            return
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            assert name not in {"VERSION", "get_version"}, f"line {getattr(node, 'lineno', '?')}"
        assert not {"django.VERSION", "django.get_version"} & set(imported(module))

    def test_is_not_a_god_module(self, module: Path) -> None:
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
    dotted = {f"herokuify.{name[:-3].replace('/', '.')}" for name in NAMED}
    for module in MODULES:
        found = {name for name in imported(module) if name.rpartition(".")[0] in dotted}
        assert not found, module


def test_the_collect_engine_knows_no_settings() -> None:
    for module in modules_of({"collect"}):
        assert not [name for name in imported(module) if name.startswith("django.conf")], module


@pytest.mark.source_tree
def test_the_picture_shows_the_imports() -> None:
    root = PACKAGE.parent
    drawn = subprocess.run(
        [sys.executable, root / "tools" / "picture.py", "--print"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    picture = (root / "docs" / "layers.svg").read_text(encoding="utf-8")
    assert picture == drawn, "run: python3 tools/picture.py"


def test_checks_load_no_storage_by_themselves() -> None:
    """What needs S3's classes imports them in a function, once the settings have named one."""
    for module in modules_of({"checks"}):
        for name in imported(module, at_import=True):
            assert not name.startswith("herokuify.storage"), module
