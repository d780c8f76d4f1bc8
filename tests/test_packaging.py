import ast
import importlib.metadata
import re
import runpy
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import parse_email
from packaging.version import Version

import herokuify

ROOT = Path(__file__).resolve().parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def found(pattern: str, name: str) -> list[Any]:
    matches: list[Any] = re.findall(pattern, text(name), re.MULTILINE)
    assert matches, f"{name} has nothing like {pattern}"
    return matches


def assigned(variable: str, name: str) -> object:
    """Return the literal that a Python file assigns to a variable."""
    for node in ast.parse(text(name)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} does not assign {variable}")


def matrix_of_nox() -> dict[str, str]:
    """Return the Django version that is tested with each Python version."""
    matrix = assigned("MATRIX", "noxfile.py")
    assert isinstance(matrix, dict)
    return matrix


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new wheel and a new source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def distributions(built: tuple[Path, Path]) -> tuple[set[str], set[str]]:
    """The names of the files in the wheel and in the source distribution."""
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tar:
        sources = {name.partition("/")[2] for name in tar.getnames()}
        return set(archive.namelist()), sources


class TestVersions:
    def test_metadata_has_the_version(self) -> None:
        assert importlib.metadata.version("herokuify") == herokuify.__version__

    def test_only_the_package_defines_the_version(self) -> None:
        assert '\ndynamic = ["readme", "version"]' in text("pyproject.toml")
        assert not re.search(r"^version\s*=", text("pyproject.toml"), re.MULTILINE)

    def test_changelog_has_the_version(self) -> None:
        version = Version(herokuify.__version__)
        heading = "Unreleased" if version.is_devrelease else str(version)
        assert found(r"^## \[([^\]]+)\]", "CHANGELOG.md")[0] == heading

    def test_classifiers_are_the_matrix(self) -> None:
        matrix = matrix_of_nox()
        classifier = '"Programming Language :: Python :: (3\\.[0-9]+)"'
        assert found(classifier, "pyproject.toml") == list(matrix)
        assert found('"Framework :: Django :: ([0-9.]+)"', "pyproject.toml") == [
            *dict.fromkeys(matrix.values())
        ]

    def test_oldest_python_is_the_same_everywhere(self) -> None:
        (oldest,) = found('^requires-python = ">=([0-9.]+)"', "pyproject.toml")
        matrix = matrix_of_nox()
        assert next(iter(matrix)) == oldest
        assert found(r"^python_version = ([0-9.]+)", "setup.cfg") == [oldest]
        assert assigned("OLDEST_PYTHON", "tools/bootstrap.py") == Version(oldest).release

    def test_the_example_and_the_sessions_have_the_newest_python(self) -> None:
        matrix = matrix_of_nox()
        newest = [*matrix][-1]
        assert assigned("PYTHON", "noxfile.py") == newest
        assert text("example_project/.python-version").strip() == newest

    def test_readme_names_the_matrix(self) -> None:
        matrix = matrix_of_nox()
        pythons, djangos = [*matrix], [*dict.fromkeys(matrix.values())]
        listed = f"{', '.join(djangos[:-1])} and {djangos[-1]}"
        assert f"Python {pythons[0]} to {pythons[-1]}; Django {listed}." in text("README.md")

    def test_ranges_of_dependencies_are_documented(self) -> None:
        """docs/versions.md has a row for each dependency and extra, with its range."""
        rows = dict(found(r"^\| ([\w.\[\]-]+) \| `([^`]+)` \|", "docs/versions.md"))
        _, _, declarations = text("pyproject.toml").partition("\ndependencies = [")
        declarations, _, _ = declarations.partition("[dependency-groups]")
        declared = re.findall(r'"([\w.\[\]-]+?)([<>=!][^"]+)"', declarations)
        assert rows == dict(declared)


@pytest.mark.source_tree
class TestWorkflows:
    NAMES = (".github/workflows/ci.yml", ".github/workflows/release.yml")

    def test_actions_are_pinned_by_commit(self) -> None:
        for used in (line for name in self.NAMES for line in found(r"uses: (.+)", name)):
            if not used.startswith("./.github/workflows/ci.yml"):
                assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[0-9.]+", used), used

    def test_permissions_are_minimal(self) -> None:
        for name in self.NAMES:
            assert "\npermissions: {}\n" in text(name)
            granted = set(found(r"^ {6}([\w-]+: (?:read|write)\b[^#\n]*?)(?: #.+)?$", name))
            assert granted <= {"contents: read", "id-token: write"}
        assert "id-token" not in text(self.NAMES[0])

    def test_matrix_is_that_of_nox(self) -> None:
        pairs = found(r'\{ python: "([0-9.]+)", django: "([0-9.]+)" \}', self.NAMES[0])
        assert dict(pairs) == assigned("MATRIX", "noxfile.py")

    def test_ci_runs_readmes_command(self) -> None:
        """It is the only command that runs the tests marked "once"."""
        assert "python3 tools/test.py " in text("README.md")
        assert "\nstep tests python3 tools/test.py\n" in text(".ci/run")

    def test_steps_are_those_of_the_ci_script(self) -> None:
        steps = set(" ".join(found(r"\.ci/run ([a-z -]+)$", self.NAMES[0])).split())
        # In the workflow, the step "matrix" is a job for each pair of versions.
        assert steps == set(found(r"^step ([\w-]+) ", ".ci/run")) - {"matrix"}

    def test_release_publishes_only_what_ci_has_tested(self) -> None:
        ci, release = map(text, self.NAMES)
        assert "\n  workflow_call:" in ci
        jobs = dict(re.findall(r"^  ([\w-]+):\n((?:    .*\n|\n)+)", release, re.MULTILINE))
        assert "\n    uses: ./.github/workflows/ci.yml" in jobs["ci"]
        assert "\n    needs: ci\n" in jobs["publish"]
        assert "pypa/gh-action-pypi-publish@" in jobs["publish"]
        assert "attestations: true" in jobs["publish"]
        assert not re.search(r"password|if: |nox|checkout|upload-artifact", jobs["publish"])
        assert release.count("id-token: write") == 1
        jobs = dict(re.findall(r"^  ([\w-]+):\n((?:    .*\n|\n)+)", ci, re.MULTILINE))
        artifact = "          name: dist\n          path: dist/\n"
        assert [name for name in jobs if artifact in jobs[name]] == [
            "checks",
            "tests",
            "prerelease",
        ]
        for name in ("tests", "prerelease"):
            assert "\n    needs: checks\n" in f"\n{jobs[name]}"
            assert "actions/download-artifact@" in jobs[name]
            assert "HEROKUIFY_TEST_DIST: dist\n" in jobs[name]

    def test_the_ci_script_has_the_newest_python_and_nothing_from_outside(self) -> None:
        matrix = matrix_of_nox()
        assert found(r"^newest=([0-9.]+)$", ".ci/run") == [[*matrix][-1]]
        for name in (".ci/run", "CONTRIBUTING.md"):
            for used in found(r"(?<!/)\btools/([\w.-]+\w)", name):
                assert (ROOT / "tools" / used).is_file(), used
        for name in (".ci/run", "CONTRIBUTING.md", "noxfile.py", *self.NAMES):
            assert "../" not in text(name)


@pytest.mark.source_tree
class TestServices:
    """The configuration of external services agrees with CI."""

    def test_hooks_have_the_versions_of_the_constraints(self) -> None:
        tools = {"astral-sh/ruff-pre-commit": "ruff", "zizmorcore/zizmor-pre-commit": "zizmor"}
        hooks = found(r"repo: https://github\.com/(\S+)\n +rev: v?(\S+)", ".pre-commit-config.yaml")
        assert len(hooks) == 3
        for repository, version in hooks:
            tool = tools.get(repository, repository.split("/")[-1])
            # The last of several pins is the newest Python's.
            assert found(rf"^{tool}==([\w.]+)", "constraints.txt")[-1] == version, tool

    def test_read_the_docs_builds_what_ci_builds(self) -> None:
        name = ".readthedocs.yaml"
        assert found(r'^    python: "([0-9.]+)"$', name) == [assigned("PYTHON", "noxfile.py")]
        assert "pip install -c constraints.txt -e . --group docs\n" in text(name)
        assert "\n  fail_on_warning: true\n" in text(name)

    def test_dependabot_updates_dependencies_and_actions(self) -> None:
        found_there = found(r"package-ecosystem: (\S+)", ".github/dependabot.yml")
        assert found_there == ["pip", "github-actions"]


class TestConstraints:
    def test_have_neither_addresses_nor_hashes(self) -> None:
        for line in text("constraints.txt").splitlines():
            assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", line)
            assert "://" not in line

    def test_leave_django_to_the_matrix(self) -> None:
        assert not re.search(r"^django==", text("constraints.txt"), re.MULTILINE)


@pytest.mark.source_tree
class TestDistributions:
    def test_wheel_has_only_the_package(self, distributions: tuple[set[str], set[str]]) -> None:
        wheel, _ = distributions
        assert "herokuify/py.typed" in wheel
        tops = {name.split("/")[0] for name in wheel}
        assert tops == {"herokuify", f"herokuify-{herokuify.__version__}.dist-info"}

    def test_wheel_has_the_whole_package(self, distributions: tuple[set[str], set[str]]) -> None:
        wheel, _ = distributions
        modules = {str(path.relative_to(ROOT)) for path in (ROOT / "herokuify").rglob("*.py")}
        assert modules <= wheel

    def test_sdist_can_be_tested(self, distributions: tuple[set[str], set[str]]) -> None:
        _, sources = distributions
        needed = {"LICENSE", "CHANGELOG.md", "noxfile.py", "setup.cfg", "tests/conftest.py"}
        assert needed <= sources
        unwanted = ("__pycache__", ".venv", "benchmarks/")
        assert not {name for name in sources if any(part in name for part in unwanted)}

    def test_description_has_no_relative_link(self, built: tuple[Path, Path]) -> None:
        wheel, sdist = built
        name = f"herokuify-{herokuify.__version__}"
        with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tar:
            member = tar.extractfile(f"{name}/PKG-INFO")
            assert member
            files = [archive.read(f"{name}.dist-info/METADATA"), member.read()]
        for metadata, _ in map(parse_email, files):
            assert metadata["description_content_type"] == "text/markdown"
            assert metadata["project_urls"] == urls()
            assert "# herokuify\n" in metadata["description"]
            assert relative(metadata["description"]) == []


def urls() -> dict[str, str]:
    _, _, table = text("pyproject.toml").partition("\n[project.urls]\n")
    return dict(
        re.findall(r'^([\w ]+) = "(https://[^"]+)"$', table.partition("\n[")[0], re.MULTILINE)
    )


def relative(markdown: str) -> list[str]:
    """Return the addresses of links and pictures that are relative."""
    found = re.findall(r"\]\(([^)\s]+)|(?:src|srcset|href)=\"([^\"]+)", markdown)
    return [one for one in map("".join, found) if not one.startswith(("https://", "#"))]


@pytest.mark.source_tree
class TestDescription:
    README = """
[a page](docs/a.md#b), [itself](#install), [outside](https://example.com/)
![A picture](docs/a.png) and [![A badge](docs/b.svg)](docs/b.md)
<picture>
  <source srcset="docs/dark.png">
  <img src="docs/light.png">
</picture>

```python
views["a"](request)
```
"""
    CODE = 'views["a"](request)'
    SOURCE = "https://github.com/owner/name"
    description = staticmethod(runpy.run_path(str(ROOT / "tools" / "metadata.py"))["description"])

    def test_links_lead_to_the_tag_of_the_release(self) -> None:
        text = self.description(self.README, f"{self.SOURCE}/", "2.0.1")
        assert relative(text.replace(self.CODE, "")) == []
        assert f"[a page]({self.SOURCE}/blob/v2.0.1/docs/a.md#b)" in text
        assert f"![A picture]({self.SOURCE}/raw/v2.0.1/docs/a.png)" in text
        badge = f"{self.SOURCE}/raw/v2.0.1/docs/b.svg"
        assert f"[![A badge]({badge})]({self.SOURCE}/blob/v2.0.1/docs/b.md)" in text
        assert f'srcset="{self.SOURCE}/raw/v2.0.1/docs/dark.png"' in text
        assert f'src="{self.SOURCE}/raw/v2.0.1/docs/light.png"' in text
        assert "[itself](#install), [outside](https://example.com/)" in text
        assert self.CODE in text

    def test_a_development_version_has_no_tag(self) -> None:
        text = self.description(self.README, self.SOURCE, "2.0.0.dev0")
        assert f"({self.SOURCE}/blob/HEAD/docs/a.md#b)" in text

    def test_without_a_repository_there_are_no_links(self) -> None:
        text = self.description(self.README, None, "2.0.1")
        assert relative(text.replace(self.CODE, "")) == []
        assert "a page, [itself](#install), [outside](https://example.com/)" in text
        assert "docs/" not in text
        assert self.CODE in text


def test_the_installed_package_is_typed() -> None:
    assert (Path(herokuify.__file__).parent / "py.typed").is_file()
