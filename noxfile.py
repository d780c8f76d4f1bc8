"""The matrix and the other checks: ``nox`` runs all of them, ``nox -s lint`` one.

The tests run against the built wheel: each session unpacks the source distribution, removes the
package from it, and installs the wheel.
"""

import os
import re
import shutil
import tarfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHON = "3.14"  # for all sessions except the tests
# The oldest pair also has the oldest supported releases of all dependencies.
MATRIX = {"3.10": "4.2", "3.11": "5.2", "3.12": "5.2", "3.13": "6.0", "3.14": "6.1"}
OLDEST, NEWEST = "4.2", "6.1"
# The wheel and the source distribution, once a session has built them. All sessions of a run use
# them, so that the files that "build" has checked are installed and tested.
BUILT: list[Path] = []
# The folder for coverage data, if any.
COVERAGE = os.environ.get("HEROKUIFY_TEST_COVERAGE", "")
# This must work without extras, a database or a bucket.
FIRST_STEPS = """
import herokuify, herokuify.aws, herokuify.common, herokuify.compress, herokuify.mail.mailgun
from django.conf import settings
herokuify.get_db_config(), herokuify.get_cache_config()
settings.configure(INSTALLED_APPS=["herokuify", "django.contrib.staticfiles"])
import django
django.setup()
import herokuify.storage
from django.core.management import call_command
call_command("check")
call_command("herokuify", "env")
"""


@nox.session(python=PYTHON)
def build(session: nox.Session) -> None:
    """Build the source distribution, the wheel from it, and check both."""
    _install_groups(session, "build")
    _build(session, Path("dist"), "build", "--installer=uv", "--outdir")
    session.run("twine", "check", "--strict", *map(str, BUILT))


@nox.session
@nox.parametrize(
    ("python", "django"),
    list(MATRIX.items()),
    ids=[f"python{python}-django{django}" for python, django in MATRIX.items()],
)
def tests(session: nox.Session, django: str) -> None:
    """Run the tests on the built wheel with one pair of Python and Django."""
    kind = {OLDEST: "oldest", NEWEST: "newest"}.get(django, "between")
    _test_wheel(session, kind, f"Django=={django}.*")


@nox.session(python=PYTHON)
def prerelease(session: nox.Session) -> None:
    """Run the tests on the newest pre-release of Django, if there is one."""
    session.install("-c", "constraints.txt", "--upgrade", "--pre", "Django")
    ask = ("python", "-c", "import django; print(django.get_version())")
    version = str(session.run(*ask, silent=True)).strip()
    if re.fullmatch(r"[\d.]+", version):
        session.skip(f"no pre-release of Django: the newest is {version}")
    _test_wheel(session, "newest", f"Django=={version}")


def _test_wheel(session: nox.Session, kind: str, django: str) -> None:
    """Run the tests on the built wheel in one kind of environment: see tests/conftest.py."""
    # Otherwise, each of the tests' thousand processes would compile the packages, as they don't
    # write bytecode. pip always compiles.
    session.env["UV_COMPILE_BYTECODE"] = "1"
    work = Path(session.create_tmp()).resolve()
    constraints = Path("constraints.txt").resolve()
    if kind == "oldest":
        constraints = _oldest_dependencies(session, work, constraints)
    # In the matrix, the browser tests only run with the newest Django.
    groups = ["test", "browser"] if kind == "newest" else ["test"]
    _install_groups(session, *groups, constraints=constraints)
    wheel, sdist = _distributions(session)
    session.install("-c", str(constraints), str(wheel), django)
    session.chdir(_tree_without_package(sdist, work))
    variables = {"HEROKUIFY_TEST_INSTALLED": kind, "PYTHONSAFEPATH": "1"}
    arguments = session.posargs or ["-n", "auto"]
    if kind == "newest" and COVERAGE:
        # Before Python 3.14, branch coverage needs a trace function, which takes 50 % longer,
        # and sometimes fails in threads: "another trace function is being installed".
        data = f"{COVERAGE}/.coverage.{re.sub(r'[^0-9A-Za-z]+', '-', django)}"
        variables |= {"COVERAGE_CORE": "sysmon", "COVERAGE_FILE": data}
        arguments = [*arguments, "--cov", "--cov-report=", "--cov-fail-under=0"]
    session.run("python", "-m", "pytest", *arguments, env=variables)


@nox.session(python=PYTHON, default=False)
def coverage(session: nox.Session) -> None:
    """Combine the data in COVERAGE, and fail below the limit in setup.cfg."""
    session.install("-c", "constraints.txt", "coverage")
    session.run("coverage", "combine", "--keep", COVERAGE, silent=True)
    session.run("coverage", "report")


@nox.session(python="3.12")
def third_party(session: nox.Session) -> None:
    """Run the tests with third-party packages, on a version of Django that all support."""
    _install_groups(session, "third-party", "browser")
    session.install("-c", "constraints.txt", "-e", ".", "Django==5.2.*")
    arguments = session.posargs or ["-n", "auto", "tests/thirdparty"]
    session.run("python", "-m", "pytest", *arguments, env={"HEROKUIFY_TEST_THIRD_PARTY": "1"})


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Check style and format, and the configuration of GitHub and Read the Docs, offline."""
    _install_groups(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    workflows = [str(path) for path in Path(".github/workflows").iterdir()]
    schemas = {
        "github-workflows": workflows,
        "dependabot": [".github/dependabot.yml"],
        "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
        "github-issue-forms": [f".github/ISSUE_TEMPLATE/{name}.yml" for name in ("bug", "feature")],
        "readthedocs": [".readthedocs.yaml"],
    }
    for schema, files in schemas.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    session.run("zizmor", "--offline", "--no-progress", "--persona=pedantic", ".")


@nox.session(python=PYTHON)
def types(session: nox.Session) -> None:
    """Check types strictly."""
    _install_groups(session, "types")
    session.install("-c", "constraints.txt", "-e", ".")
    session.run("mypy")


@nox.session(python=list(MATRIX))
def install(session: nox.Session) -> None:
    """Install the wheel, then the source distribution, with their dependencies only."""
    constraints = Path("constraints.txt").resolve()
    work = Path(session.create_tmp()).resolve()
    distributions = _distributions(session)
    session.chdir(work)
    for distribution in distributions:
        # The wheel has installed the dependencies, which are the same.
        alone = ["--force-reinstall", "--no-deps"] if distribution.suffix == ".gz" else []
        session.install("-c", str(constraints), *alone, str(distribution))
        session.run("python", "-I", "-W", "error", "-c", FIRST_STEPS, silent=True)


@nox.session(python=PYTHON)
def user(session: nox.Session) -> None:
    """Check types and start the example with the installed wheel, as a user does."""
    root = Path.cwd()
    work = Path(session.create_tmp()).resolve()
    _install_groups(session, "demo")
    wheel, _ = _distributions(session)
    ours = f"herokuify[redis] @ {wheel.as_uri()}"
    requirements = ("-r", "example_project/requirements.txt", ours)
    session.install("-c", "constraints.txt", "mypy", *requirements)
    shutil.copytree(root / "tests" / "user_project", work / "project", dirs_exist_ok=True)
    session.chdir(work / "project")
    session.run("mypy", "--strict", "--config-file=", ".")
    demo, python = root / "tools" / "demo.py", Path(session.bin) / "python"
    session.run("python", str(demo), "--check", "--python", str(python))


@nox.session(python=PYTHON, default=False)
def constraints(session: nox.Session) -> None:
    """Update constraints.txt to the newest releases of all packages except Django."""
    session.install("-c", "constraints.txt", "uv")
    groups = [f"--group={group}" for group in PYPROJECT["dependency-groups"]]
    options = ("--universal", "--python-version=3.10", "--no-annotate", "--no-header", "--upgrade")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", *options, *groups),
        *("--no-emit-package=django", "--output-file=constraints.txt"),
        silent=True,
    )


@nox.session(python=PYTHON)
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _install_groups(session, "docs")
    session.install("-c", "constraints.txt", "-e", ".")
    session.run("sphinx-build", "-q", "-W", "--keep-going", "docs", "docs/_build/html")


def _install_groups(
    session: nox.Session, *groups: str, constraints: Path = Path("constraints.txt")
) -> None:
    session.install("-c", str(constraints), *nox.project.dependency_groups(PYPROJECT, *groups))


def _distributions(session: nox.Session) -> tuple[Path, Path]:
    """Return this run's wheel and source distribution, or those in HEROKUIFY_TEST_DIST."""
    if not BUILT and (given := os.environ.get("HEROKUIFY_TEST_DIST")):
        _take(Path(given))
    if not BUILT:
        # "build" would install the backend once more.
        session.install("-c", "constraints.txt", "hatchling")
        _build(session, Path(session.cache_dir) / "dist", "hatchling", "build", "-d")
    wheel, sdist = BUILT
    return wheel, sdist


def _build(session: nox.Session, folder: Path, *builder: str) -> None:
    """Build both in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", *builder, str(folder), silent=True)
    _take(folder)


def _take(folder: Path) -> None:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    BUILT[:] = wheel.resolve(), sdist.resolve()


def _tree_without_package(sdist: Path, work: Path) -> Path:
    """Return the unpacked source distribution without its package, which would hide the wheel."""
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(tree, filter="data")
    (root,) = tree.iterdir()
    shutil.rmtree(root / "herokuify")
    return root


def _oldest_dependencies(session: nox.Session, work: Path, constraints: Path) -> Path:
    """Return constraints with the oldest supported dependencies and the pinned test tools."""
    oldest = work / "oldest.txt"
    session.install("-c", str(constraints), "uv")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--resolution=lowest-direct", "--all-extras"),
        *("--no-annotate", "--no-header", "--output-file", str(oldest)),
        silent=True,
    )
    pinned = oldest.read_text().splitlines()
    names = {_name(line) for line in pinned}
    tools = [line for line in constraints.read_text().splitlines() if _name(line) not in names]
    oldest.write_text("\n".join([*pinned, *tools, ""]))
    return oldest


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
