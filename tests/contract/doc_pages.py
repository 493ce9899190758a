"""Reads the project's pages: their code blocks, the commands in them, what stands in backticks, and their links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

_FENCE: Final = re.compile(r"^```(\S*)\s*$")
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ASSIGNMENT: Final = re.compile(r"[A-Z_]+=.*")
_BETWEEN: Final = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "2>", "<"})


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: where it begins, what it is written in ("sh" where it is indented), and its text."""

    page: Path
    line: int
    language: str
    text: str


def name_of(page: Path) -> str:
    """Returns a page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Lists the code blocks of a page, fenced and indented."""
    found = []
    lines = [*page.read_text("utf-8").splitlines(), ""]
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        end = begin = at + 1
        if fence:
            end = next(number for number in range(begin, len(lines)) if _FENCE.match(lines[number]))
            found.append(Block(page, begin + 1, fence[1], "\n".join(lines[begin:end])))
            end += 1
        elif lines[at].startswith("    ") and not lines[at - 1].strip():
            end = next(number for number in range(begin, len(lines)) if not lines[number].startswith("    "))
            found.append(Block(page, begin, "sh", "\n".join(line[4:] for line in lines[at:end])))
        at = end
    return found


def quoted(page: Path) -> list[str]:
    """Lists what stands in backticks outside of code blocks."""
    return _INLINE.findall(_prose(page))


def links(page: Path) -> list[str]:
    """Lists the targets of a page's links."""
    return _LINK.findall(_prose(page))


def anchors(page: Path) -> set[str]:
    """Names the anchors of a page's headings as code hosts make them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(_prose(page))}


def commands(block: Block) -> Iterator[list[str]]:
    """Splits a block of shell, or the lines of a transcript that begin with a prompt, into commands.

    What a command is piped into is a command of its own; what it is redirected to, and settings of the environment
    before it, are left out.
    """
    if block.language not in ("sh", "console"):
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "sh" or line.startswith("$ "):
            yield from split(line.removeprefix("$ "))


def split(line: str) -> Iterator[list[str]]:
    """Splits a line of shell into commands."""
    command: list[str] = []
    for word in [*shlex.split(line, comments=True), ";"]:
        if word in _BETWEEN:
            if command:
                yield command
            command = []
        elif command or not _ASSIGNMENT.fullmatch(word):
            command.append(word)


def _prose(page: Path) -> str:
    kept, inside = [], False
    for line in page.read_text("utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)
