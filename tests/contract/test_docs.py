"""The pages cannot go stale: every command, path, name, setting, refusal and link in them is looked up in the project."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

from provider_node.settings import ProviderSettings
from regulator_node.settings import RegulatorSettings
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.settings import ENVIRONMENT_PREFIX
from tests.contract.descriptors import PACKAGES, methods
from tests.contract.doc_pages import PAGES, ROOT, Block, anchors, blocks, commands, links, name_of, quoted, split

OPERATING: Final = ROOT / "docs" / "operating.md"
PROVISIONS: Final = ROOT / "docs" / "provisions.md"
CODE: Final = ("shared", "provider_node", "regulator_node", "protos", "tests", "benchmarks")
FOLDERS: Final = (*CODE, "docs", ".ci")
README_LINES: Final = 150

PATH: Final = re.compile(rf"(?:{'|'.join(re.escape(folder) for folder in FOLDERS)})/[\w./-]*")
NAMED: Final = re.compile(r"([\w./-]+\.py)::([\w.]+)")
OF_CLASS: Final = re.compile(r"([A-Z][a-z][A-Za-z]+)\.([A-Za-z_]+)(?:\(.*\))?")
REASON: Final = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
PROGRAMS: Final = ("provider-node", "regulator-node", "filing-cluster", "filing-verify")
NOTHING_TO_TYPE: Final = frozenset({"…", "|"})

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@cache
def program(name: str) -> Any:
    """Loads the commands of a program by the name under which it is installed; None where there is no such program."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    if name not in scripts:
        return None
    return get_command(importlib.import_module(scripts[name].partition(":")[0]).app)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Names what a module defines, and what its classes do, as "Class.name"."""
    return frozenset(_defined(ast.parse(path.read_text("utf-8")).body))


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in _defined(node.body))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


@cache
def sources() -> tuple[Path, ...]:
    """Lists the project's Python files."""
    return tuple(path for folder in CODE for path in (ROOT / folder).rglob("*.py") if "pb" not in path.parts)


@cache
def classes() -> dict[str, set[str]]:
    """Names what each class of the project has, and which calls each service of the contracts has."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for name in names_in(path):
            owner, _, member = name.partition(".")
            found.setdefault(owner, set()).add(member)
    for method in methods(*PACKAGES):
        found.setdefault(method.containing_service.name, set()).add(method.name)
    return found


def program_in(words: list[str]) -> tuple[str, list[str]] | None:
    """Finds a program of the project and its arguments in a command; also where a container runs it."""
    for place, word in enumerate(words):
        name = word.removeprefix(".venv/bin/")
        if program(name) is not None:
            return name, words[place + 1 :]
    return None


def faults(name: str, arguments: list[str], *, whole: bool) -> str:
    """Says what is wrong with a command line of a program; empty where nothing is.

    Args:
        name: of the program.
        arguments: its words.
        whole: whether it has to be complete; a command that is only mentioned may lack what it needs.
    """
    command = program(name)
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        word, *arguments = arguments
        if word not in command.commands:
            return f"{name}: there is no command {word}"
        command = command.commands[word]
    if "--help" in arguments or hasattr(command, "commands"):
        return ""
    try:
        command.make_context(name, arguments, resilient_parsing=not whole)
    except Exception as error:  # noqa: BLE001 - typer may bring a click of its own, with errors of its own
        return f"{name} {' '.join(arguments)}: {getattr(error, 'message', error)}"
    return ""


def marked(block: Block) -> str:
    """Says where a block is."""
    return f"{name_of(block.page)}:{block.line}"


@each_page
def test_every_command_can_be_typed(page: Path) -> None:
    """Commands in blocks are complete and right: programs, subcommands, options, and what options take."""
    found = [(block, words) for block in blocks(page) for words in commands(block)]
    wrong = [
        f"{marked(block)}: {fault}"
        for block, words in found
        if (called := program_in(words)) is not None and (fault := faults(*called, whole=True))
    ]
    assert [] == wrong


@each_page
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    """Commands in running text name programs, subcommands and options that there are."""
    wrong = []
    for text in quoted(page):
        if program(text.split(" ")[0]) is not None and not NOTHING_TO_TYPE & set(text):
            for words in split(text):
                called = program_in(words)
                wrong += [fault] if called is not None and (fault := faults(*called, whole=False)) else []
    assert [] == wrong


@each_page
def test_every_option_that_is_mentioned_exists(page: Path) -> None:
    """An option in running text is one of some command."""
    known = set(_options([program(name) for name in PROGRAMS]))
    plugin = (ROOT / "shared" / "cluster" / "pytest_plugin.py").read_text("utf-8")
    options = {text.split(" ")[0].split("=")[0] for text in quoted(page) if text.startswith("--")}
    assert [] == sorted(option for option in options - known - {"--help"} if f'"{option}"' not in plugin)


def _options(found: list[Any]) -> Iterator[str]:
    for command in found:
        yield from (option for parameter in command.params for option in getattr(parameter, "opts", ()))
        yield from _options(list(getattr(command, "commands", {}).values()))


@each_page
def test_every_make_target_exists(page: Path) -> None:
    """`make …` names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    typed = [words for block in blocks(page) for words in commands(block)]
    mentioned = [words for text in quoted(page) if text.startswith("make ") for words in split(text)]
    called = {words[1] for words in [*typed, *mentioned] if words[0] == "make" and len(words) > 1}
    assert [] == sorted(called - targets)


@each_page
def test_every_path_exists(page: Path) -> None:
    """A file or a folder of the project that is named is there."""
    typed = [word for block in blocks(page) for words in commands(block) for word in words]
    paths = {found[0] for text in [*quoted(page), *typed] if (found := PATH.fullmatch(text.partition("::")[0]))}
    assert [] == sorted(path for path in paths if not (ROOT / path).exists())


@each_page
def test_every_name_in_a_module_exists(page: Path) -> None:
    """`file.py::name` names something that the file defines."""
    named = [found.groups() for text in quoted(page) if (found := NAMED.fullmatch(text))]
    assert [] == [f"{path}::{name}" for path, name in named if name not in names_in(ROOT / path)]


@each_page
def test_every_name_of_a_class_exists(page: Path) -> None:
    """`Class.name` names something that a class, or a service of the contracts, has."""
    named = [found.groups() for text in quoted(page) if (found := OF_CLASS.fullmatch(text))]
    assert [] == [f"{owner}.{name}" for owner, name in named if name not in classes().get(owner, set())]


@each_page
def test_every_reason_exists(page: Path) -> None:
    """A refusal, a state or a setting of the environment in capitals is one that the code knows."""
    written = "\n".join(path.read_text("utf-8") for path in sources() if path != Path(__file__))
    settings = {f"{ENVIRONMENT_PREFIX}{name}".upper() for name in _settings()}
    reasons = {text for text in quoted(page) if REASON.fullmatch(text)} - settings
    assert [] == sorted(reason for reason in reasons if not re.search(rf"\b{reason}\b", written))


@each_page
def test_every_python_block_compiles_and_imports_what_there_is(page: Path) -> None:
    """Python in a page is Python, and what it imports from the project exists."""
    for block in blocks(page):
        if block.language != "python":
            continue
        tree = compile(block.text, marked(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in CODE:
                module = importlib.import_module(str(node.module))
                assert [] == [name.name for name in node.names if not _has(module, name.name)]


def _has(module: Any, name: str) -> bool:
    if hasattr(module, name):
        return True
    importlib.import_module(f"{module.__name__}.{name}")
    return True


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link to another page of the project, or to a heading, resolves."""
    wrong = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        if target.startswith(("http:", "https:")):
            continue
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            wrong.append(link)
    assert [] == wrong


@each_page
def test_every_toml_block_is_toml(page: Path) -> None:
    """TOML in a page can be read."""
    for block in blocks(page):
        if block.language == "toml":
            assert {} != tomllib.loads(block.text), marked(block)


def test_readme_is_short() -> None:
    """Whoever finds the project reads its first page to the end."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


def _settings() -> set[str]:
    fields = {*ProviderSettings.model_fields, *RegulatorSettings.model_fields}
    return fields - {"folder"}


def test_the_table_of_settings_is_whole() -> None:
    """Every setting of a node is explained, and no other."""
    section = OPERATING.read_text("utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(_settings()) == sorted(told)


def test_every_event_of_the_table_is_logged() -> None:
    """An event in the table of the log is one that some module writes."""
    section = OPERATING.read_text("utf-8").partition("\n## Log\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    written = "\n".join(path.read_text("utf-8") for path in sources())
    assert len(told) > 0
    assert [] == [event for event in told if not re.search(rf'log\.\w+\("{event}"', written)]


def test_every_provision_that_is_built_names_contract_module_and_test() -> None:
    """A row of the provisions that is said to be built leads to a contract, to a module, and to a test called after it."""
    rows = re.findall(
        r"^\| (Art\. [0-9()]+|Answer [123]) \| (.+) \| (.+) \| (.+) \|$", PROVISIONS.read_text("utf-8"), re.MULTILINE
    )
    built = "2, 3, 4, 5(1), 5(2), 5(3), 6(1), 6(2), 7(1), 7(2), 7(3), 7(4), 8(1), 8(2), 9"
    names = {f"Art. {number}" for number in built.split(", ")} | {f"Answer {number}" for number in (1, 2, 3)}
    assert names == {row[0] for row in rows}
    for name, contract, module, test in rows:
        assert ".proto`" in contract, name
        assert ".py::" in module, name
        called = "_".join(re.findall(r"[a-z]+|[0-9]+", name.lower()))
        assert re.search(rf"::test_{called}_[a-z]", test), f"no test is called after {name}"


def test_fields_of_a_filing_are_told_as_they_are() -> None:
    """The list of what crosses the network names every field of a filing, and none that is not there."""
    section = (ROOT / "docs" / "provisions.md").read_text("utf-8")
    table = section.partition("\n## What a filing says\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert [field.name for field in filing_pb2.Filing.DESCRIPTOR.fields] == told


def test_a_wrong_command_is_found() -> None:
    """The check of commands finds a slip in a subcommand, an option, a missing argument and a wrong value."""
    assert "" == faults("provider-node", ["status", "--data", "wave"], whole=True)
    for arguments in (
        ["state", "--data", "wave"],
        ["status", "--date", "wave"],
        ["status"],
        ["receipt", "get", "--data", "wave", "account", "--output", "file", "--revision", "one"],
    ):
        assert "" != faults("provider-node", arguments, whole=True)
