"""A project's settings, parsed: what each line assigns, in the order in which Python runs them."""

from __future__ import annotations

import ast
import os
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from herokuify.exceptions import ConfigurationError
from herokuify.init.variables import NAME, defaults_of, has_no_default, variable_of, variables_read

#: Names of the settings module that a package of settings has for the deployed site.
PRODUCTION = ("heroku", "production", "prod", "live")
DEVELOPMENT = {"local", "dev", "development"}
BY_HAND = "Add herokuify's lines by hand: the docs' page \"Move to herokuify\" has them."
_METHODS = {"update", "append", "extend", "insert", "remove"}
#: What gives access to all settings, and functions that assign settings.
_NAMESPACES = {"globals()", "locals()", "vars()", "sys.modules[__name__]"}
_READING = {"copy", "get", "items", "keys", "values"}
_FUNCTIONS = re.compile(r"exec|include|setattr|\w*Dynaconf")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Place:
    """A line of a settings file."""

    file: Path
    line: int

    def show(self, root: Path) -> str:
        """Return ``path:line``, relative to the project."""
        return f"{self.file.relative_to(root)}:{self.line}"


@dataclass(frozen=True)
class Assignment:
    """``name = value``, or of an item (``keys``); also of one branch of several."""

    name: str
    keys: tuple[str, ...]
    value: ast.expr
    place: Place
    is_conditional: bool
    #: Whether assignments above have no effect below this line: neither ``+=`` nor ``update()``.
    is_whole: bool = False


@dataclass
class Source:
    """The settings module and the modules of the project that it imports names from."""

    root: Path
    module: str
    file: Path = field(init=False)
    assignments: list[Assignment] = field(default_factory=list)
    loads: list[tuple[str, Place]] = field(default_factory=list)
    #: Names that functions, which may be called at any time, and classes read.
    loads_in_functions: set[str] = field(default_factory=set)
    #: How many statements and expressions that assign a name begin in a line.
    statements: Counter[Place] = field(default_factory=Counter)
    #: The statements of each ``if``, ``try`` and so on.
    blocks: list[list[Place]] = field(default_factory=list)
    refused: list[tuple[Place, str, str]] = field(default_factory=list)
    #: A call of django-heroku's: its place, and the names of its arguments that are true.
    django_heroku: tuple[Place, set[str]] | None = None
    optional_imports: list[Place] = field(default_factory=list)
    uses_herokuify: bool = False
    #: Whether the module itself imports os, unconditionally.
    imports_os: bool = False
    #: Modules that are being read, each imported by the one before.
    _importers: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        file = file_of(self.root, self.module)
        if file is None:
            raise ConfigurationError(
                f"The settings module {self.module} is not in this folder.",
                "Name it: python -m herokuify init --settings mysite.settings",
            )
        self.file = file
        self._read(file, self.module)

    def of(self, name: str) -> list[Assignment]:
        """Return the assignments of a setting and of its items that have an effect."""
        found = [one for one in self.assignments if one.name == name]
        whole = [index for index, one in enumerate(found) if one.is_whole]
        return found[whole[-1] :] if whole else found

    def entries(self, name: str) -> Iterator[tuple[str, str, ast.expr, Assignment]]:
        """Yield alias, key and value of what a setting such as DATABASES holds.

        The key is ``""`` where an entry is not written as a dictionary.
        """
        for one in self.of(name):
            for value in self.alternatives(one.value):
                yield from self._entries(one.keys, value, one)

    def _entries(
        self, keys: tuple[str, ...], value: ast.expr, one: Assignment
    ) -> Iterator[tuple[str, str, ast.expr, Assignment]]:
        if len(keys) >= 2:
            yield keys[0], "/".join(keys[1:]), value, one
        elif isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant):
                    for inner in self.alternatives(item):
                        yield from self._entries((*keys, str(key.value)), inner, one)
                elif isinstance(key, ast.expr):  # no telling which
                    yield keys[0] if keys else "", "", value, one
                elif not _is_name(item, one.name):
                    yield keys[0] if keys else "", "", item, one
        else:
            yield keys[0] if keys else "", "", value, one

    def alternatives(self, value: ast.expr, depth: int = 3) -> Iterator[ast.expr]:
        """Yield what an expression can be: the branches of ``a if b else c`` and names' values."""
        if isinstance(value, ast.IfExp):
            yield from self.alternatives(value.body, depth)
            yield from self.alternatives(value.orelse, depth)
        elif isinstance(value, ast.Name) and depth and (found := self.of(value.id)):
            for one in found:
                if not one.keys:
                    yield from self.alternatives(one.value, depth - 1)
        else:
            yield value

    def variables(self, value: ast.expr, depth: int = 3) -> set[str]:
        """Return the environment variables that an expression reads, also through names."""
        found = set(variables_read(value))
        for node in ast.walk(value):
            if isinstance(node, ast.Name) and depth:
                for one in self.of(node.id):
                    found |= self.variables(one.value, depth - 1)
        return found

    def required(self) -> Iterator[str]:
        """Yield the variables without which the settings can't be loaded."""
        scheme = {keyword.arg for one in self.assignments for keyword in defaults_of(one.value)}
        for one in self.assignments:
            nodes = [*ast.walk(one.value)]
            if one.is_conditional or any(isinstance(node, ast.IfExp) for node in nodes):
                continue
            names = {variable_of(node) for node in nodes if has_no_default(node)}
            yield from filter(None, names - scheme)

    def _read(self, file: Path, module: str) -> None:
        text, _ = read_text(file)
        try:
            tree = ast.parse(text, str(file))
        except SyntaxError as error:
            place = Place(file, error.lineno or 1).show(self.root)
            raise ConfigurationError(f"{place}: {error.msg}.", "Fix the syntax error.") from None
        reader = _Reader(self, file, module)
        self._importers.append(file)
        reader.read(tree.body, is_conditional=False)
        reader.read_rest(tree)
        self._importers.pop()

    def follow(self, module: str) -> None:
        """Read a module that settings import names from, if it is the project's."""
        file = file_of(self.root, module)
        if file is not None and file not in self._importers:
            self._read(file, module)


@dataclass
class _Reader:
    """Reads the statements of one file into a Source."""

    source: Source
    file: Path
    module: str
    #: What django-heroku is called with.
    passed: list[ast.expr] = field(default_factory=list)

    def read(self, statements: list[ast.stmt], *, is_conditional: bool) -> None:
        for statement in statements:
            self._read_one(statement, is_conditional=is_conditional)

    def _read_one(self, node: ast.stmt, *, is_conditional: bool) -> None:
        place = Place(self.file, node.lineno)
        self.source.statements[place] += 1
        if isinstance(node, ast.ImportFrom | ast.Import):
            self._import(node, place, is_conditional=is_conditional)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Delete):
            return
        if isinstance(node, ast.ClassDef):
            if any("Configuration" in ast.unparse(base) for base in node.bases):
                self._refuse(place, "The settings are a class of django-configurations.")
            return
        blocks = [
            statements
            for name in ("body", "orelse", "finalbody")
            if (statements := getattr(node, name, None))
        ]
        blocks += [handler.body for handler in getattr(node, "handlers", ())]
        blocks += [case.body for case in getattr(node, "cases", ())]
        for statements in blocks:
            self.source.blocks.append([Place(self.file, one.lineno) for one in statements])
            self.read(statements, is_conditional=True)
        if blocks:
            if isinstance(node, ast.With) and "prefixed" in ast.unparse(node.items[0].context_expr):
                self._refuse(place, "The names of variables get a prefix here.")
            if isinstance(node, ast.For):
                self._loop(node, place)
            return
        self._simple(node, place, is_conditional=is_conditional)

    def _loop(self, node: ast.For, place: Place) -> None:
        """Take a loop that goes through a setting and changes items for a change of it."""
        found = re.fullmatch(r"([A-Z]+)(\.(items|values)\(\))?", ast.unparse(node.iter))
        if found and any(map(_changes_item, ast.walk(node))):
            self.source.assignments.append(
                Assignment(found[1], (), node.iter, place, is_conditional=True)
            )

    def _simple(self, node: ast.stmt, place: Place, *, is_conditional: bool) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            if node.value is None:
                return
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._assign(target, node.value, place, is_conditional=is_conditional)
                one = self.source.assignments[-1] if isinstance(target, ast.Name) else None
                if one and not (is_conditional or isinstance(node, ast.AugAssign)):
                    is_whole = not any(_is_name(part, one.name) for part in ast.walk(one.value))
                    self.source.assignments[-1] = replace(one, is_whole=is_whole)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._call(node.value, place, is_conditional=is_conditional)

    def read_rest(self, tree: ast.Module) -> None:
        """Read what is not a plain assignment: names that are set elsewhere, and names in use."""
        nodes = [*_outside_functions(tree)]
        bases = {id(base) for node in nodes for base in _bases(node)}
        for node in nodes:
            if isinstance(node, ast.Name) and id(node) not in bases:
                self._name(node)
            elif isinstance(node, ast.Call):
                function = ast.unparse(node.func)
                if _FUNCTIONS.fullmatch(function.rpartition(".")[2]):
                    place = Place(self.file, node.lineno)
                    self._refuse(place, f"What {function}() sets can't be told.")
            for target, value in _bindings(node):
                self._set(target, value)
        self._functions(tree)

    def _functions(self, tree: ast.Module) -> None:
        inside: set[ast.AST] = set()
        for node in ast.walk(tree):
            if isinstance(node, _SCOPES):
                inside.update(ast.walk(node))
            if isinstance(node, ast.Global):
                for name in node.names:
                    self._set(_name(name, node), _unknown())
            for child in ast.iter_child_nodes(node):
                is_local = child in inside and ast.unparse(child) in {"locals()", "vars()"}
                if isinstance(child, ast.Call | ast.Subscript) and not is_local:
                    self._use(child, node)
        names = {one.id for one in inside if isinstance(one, ast.Name)}
        self.source.loads_in_functions |= names

    def _name(self, node: ast.Name) -> None:
        place = Place(self.file, node.lineno)
        if isinstance(node.ctx, ast.Del) and NAME.fullmatch(node.id):
            self._refuse(place, f"{node.id} is deleted here.")
        elif not isinstance(node.ctx, ast.Store):
            self.source.loads.append((node.id, place))

    def _set(self, target: ast.expr, value: ast.expr) -> None:
        place = Place(self.file, target.lineno)
        self.source.statements[place] += 1
        self._assign(target, value, place, is_conditional=True)

    def _use(self, namespace: ast.expr, parent: ast.AST) -> None:
        """Refuse what may assign any setting."""
        name, place = ast.unparse(namespace), Place(self.file, namespace.lineno)
        if name not in _NAMESPACES or isinstance(parent, ast.Compare) or namespace in self.passed:
            return
        if isinstance(parent, ast.Attribute) and parent.attr not in _READING:
            call = ast.unparse(parent) + ("()" if isinstance(parent.ctx, ast.Load) else "")
            self._refuse(place, f"What {call} sets can't be told.")
        elif isinstance(parent, ast.Call):
            self._refuse(place, f"What {ast.unparse(parent.func)}() sets can't be told.")
        elif isinstance(parent, ast.Subscript) and not isinstance(parent.ctx, ast.Load):
            self._refuse(place, f"What {name} gets can't be told.")
        elif not isinstance(parent, ast.Attribute | ast.Subscript):
            self._refuse(place, f"What {name} is used for can't be told.")

    def _assign(
        self, target: ast.expr, value: ast.expr, place: Place, *, is_conditional: bool
    ) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            for index, item in enumerate(target.elts):
                part = value.elts[index] if same else value  # type: ignore[attr-defined]
                self._assign(item, part, place, is_conditional=is_conditional)
            return
        if isinstance(target, ast.Starred):
            target, value = target.value, _unknown(value)
        keys: list[str] = []
        while isinstance(target, ast.Subscript):
            if isinstance(target.slice, ast.Constant):
                keys.insert(0, str(target.slice.value))
            else:  # no telling which
                keys, value = [], target
            target = target.value
        if isinstance(target, ast.Name):
            self.source.assignments.append(
                Assignment(target.id, tuple(keys), value, place, is_conditional)
            )
        elif isinstance(target, ast.Call):
            name = ast.unparse(target).partition("[")[0].partition(".")[0]
            if NAME.fullmatch(name):  # CACHES["default"].setdefault("OPTIONS", {})["a"] = 1
                self.source.assignments.append(Assignment(name, (), target, place, is_conditional))

    def _call(self, call: ast.Call, place: Place, *, is_conditional: bool) -> None:
        function = ast.unparse(call.func)
        arguments = [*call.args, *(one.value for one in call.keywords)]
        if function.endswith(".settings") and {*map(ast.unparse, arguments)} & _NAMESPACES:
            given = {
                one.arg or ""
                for one in call.keywords
                if isinstance(one.value, ast.Constant) and one.value.value
            }
            self.source.django_heroku = place, given
            self.passed += arguments
        elif function.endswith(".setdefault") and len(call.args) == 2:
            item = ast.Subscript(call.func.value, call.args[0])  # type: ignore[attr-defined]
            self._assign(item, call.args[1], place, is_conditional=is_conditional)
        elif (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in _METHODS
            and (call.args or call.keywords)
        ):
            value = call.args[-1] if call.args else _keywords(call)
            self._assign(call.func.value, value, place, is_conditional=is_conditional)

    def _import(
        self, node: ast.ImportFrom | ast.Import, place: Place, *, is_conditional: bool
    ) -> None:
        if isinstance(node, ast.Import):
            self.source.uses_herokuify |= any(one.name == "herokuify" for one in node.names)
            if self.file == self.source.file and not is_conditional:
                self.source.imports_os |= any(
                    one.asname == one.name == "os"
                    or (one.asname is None and one.name.partition(".")[0] == "os")
                    for one in node.names
                )
            return
        module = node.module or ""
        if node.level:
            parts = self.module.split(".")
            cut = node.level - (self.file.name == "__init__.py")
            module = ".".join([*parts[: len(parts) - cut], *([module] if module else [])])
        names = [one.name for one in node.names]
        for one in node.names:
            if one.asname and one.asname != one.name:
                self._set(_name(one.asname, node), _unknown())
        self.source.uses_herokuify |= module.partition(".")[0] == "herokuify"
        if names == ["*"] and is_conditional:
            self.source.optional_imports.append(place)
        elif any(name == "*" or NAME.fullmatch(name) for name in names):
            known = {one.place.file for one in self.source.assignments}
            file = file_of(self.source.root, module)
            if file not in known:
                start = len(self.source.assignments)
                self.source.follow(module)
                followed = self.source.assignments[start:]
                wanted = [one for one in followed if one.name in names or names == ["*"]]
                self.source.assignments[start:] = wanted

    def _refuse(self, place: Place, problem: str) -> None:
        self.source.refused.append((place, problem, BY_HAND))


def read_text(file: Path) -> tuple[str, str]:
    """Return the text of a file, and its encoding."""
    try:
        with tokenize.open(file) as opened:
            return opened.read(), opened.encoding
    except (SyntaxError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{os.path.relpath(file)} is not encoded as UTF-8, or as it declares.",
            "Save it as UTF-8.",
        ) from None


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is below it, in the order of the source, but not functions' bodies."""
    yield node
    if not isinstance(node, _SCOPES):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _bases(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the names that an assignment assigns, or whose items it assigns."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            base = target
            while isinstance(base, ast.Subscript):
                base = base.value
            yield base


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what is assigned without ``=``, and values that stand for what it may be."""
    if isinstance(node, ast.NamedExpr):
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield node.target, _unknown(node.iter)
    elif isinstance(node, ast.withitem) and node.optional_vars:
        yield node.optional_vars, _unknown(node.context_expr)
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield _name(node.name, node), _unknown()


def _name(name: str, node: ast.stmt | ast.pattern) -> ast.Name:
    return ast.Name(name, lineno=node.lineno)


def _unknown(*values: ast.expr) -> ast.expr:
    """Return an expression for a value that is made of others in a way that can't be told."""
    return ast.Call(ast.Name("unknown"), [*values], [])


def file_of(root: Path, module: str) -> Path | None:
    """Return the file of a module of the project; None for what lies elsewhere."""
    path = root.joinpath(*module.split("."))
    found = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((one for one in found if module and one.is_file()), None)


def find_settings(root: Path, asked: str | None) -> tuple[str, str]:
    """Return the settings module of the deployed site, and what else there is to say of it."""
    manage = root / "manage.py"
    text = read_text(manage)[0] if manage.is_file() else ""
    found = re.search(r"DJANGO_SETTINGS_MODULE[\"']\s*[,\]]\s*=?\s*[\"']([\w.]+)[\"']", text)
    if asked:
        return asked, f"manage.py names {found[1]}." if found and found[1] != asked else ""
    if not manage.is_file():
        raise ConfigurationError(
            "There is no manage.py in this folder.", "cd to the folder of manage.py."
        )
    if found is None:
        raise ConfigurationError(
            "manage.py names no DJANGO_SETTINGS_MODULE.",
            "Name it: python -m herokuify init --settings mysite.settings",
        )
    usual = found[1]
    package = usual if (root.joinpath(*usual.split("."))).is_dir() else usual.rpartition(".")[0]
    for name in PRODUCTION:
        module = f"{package}.{name}"
        if module != usual and package and file_of(root, module):
            return module, f"manage.py names {usual}; these are the settings of the deployed site."
    if usual.rpartition(".")[2] in DEVELOPMENT:
        raise ConfigurationError(
            f"manage.py names {usual}, the settings of local development.",
            "Name the deployed site's: python -m herokuify init --settings mysite.settings",
        )
    return usual, ""


def _changes_item(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)


def is_literal(value: ast.expr) -> bool:
    """Return whether an expression is the same everywhere."""
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def _is_name(value: ast.AST, name: str) -> bool:
    return isinstance(value, ast.Name) and value.id == name


def _keywords(call: ast.Call) -> ast.Dict:
    return ast.Dict(
        keys=[ast.Constant(one.arg) for one in call.keywords if one.arg],
        values=[one.value for one in call.keywords if one.arg],
    )
