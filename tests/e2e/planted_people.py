"""Planted people, and a search that finds them in whatever form they were written down."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from shared.provisions.verification import PersonIdentity

SEPARATORS = b" -._/:\t\r\n\x00"
"""Bytes that may stand between the digits of a number; zero bytes do in UTF-16."""

FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


class PeopleSearch:
    """Searches bytes for people.

    Args:
        people: whom to search for, each by name, identity number and telephone.
        numbers: further numbers to search for.
    """

    def __init__(self, people: Iterable[PersonIdentity], numbers: Iterable[str] = ()) -> None:
        values = {value for each in people for value in (each.real_name, each.id_number, each.phone) if value}
        forms: dict[bytes, str] = {}
        for value in {*values, *numbers}:
            for kind, form in forms_of(value):
                # Of digits alone several forms are the same; the first, plainest one names it.
                forms.setdefault(form, kind)
        self.forms: Mapping[bytes, str] = forms

    def kinds_in(self, content: bytes) -> list[str]:
        """Returns in which forms somebody is in the content; empty where nobody is."""
        readings = content, content.translate(None, SEPARATORS)
        return sorted({kind for form, kind in self.forms.items() for reading in readings if form in reading})

    def files_with_people(self, folder: Path) -> list[tuple[str, list[str]]]:
        """Returns the files below a folder that somebody is in, each with the forms."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found = [(str(path), self.kinds_in(path.read_bytes())) for path in files]
        return [(path, kinds) for path, kinds in found if kinds]


def forms_of(value: str) -> Iterator[tuple[str, bytes]]:
    """Gives the forms in which a value could have been written down or sent, each with its name."""
    plain = value.encode()
    yield "plain", plain
    yield "reversed", value[::-1].encode()
    yield "full width", value.translate(FULL_WIDTH).encode()
    yield "percent-encoded", quote(value, safe="").encode()
    yield "JSON escapes", json.dumps(value)[1:-1].encode()
    for encoding in ("utf-16-le", "utf-16-be", "gb18030"):
        yield encoding, value.encode(encoding)
    for text in (value, value[::-1]):
        yield "hexadecimal", text.encode().hex().encode()
        yield "hexadecimal", text.encode().hex().upper().encode()
        for encoded in _in_base64(text.encode()):
            yield "base64", encoded
            yield "base64", encoded.translate(bytes.maketrans(b"+/", b"-_"))
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, plain)
        yield f"digest by {name}", digest.digest()
        yield f"digest by {name}", digest.hexdigest().encode()


def _in_base64(data: bytes) -> Iterator[bytes]:
    """Gives what data looks like inside base64 of something longer, wherever in it the data begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        # The characters at both ends also hold bits of what stands beside the data.
        first, left_over = (0, 2, 3)[before], (before + len(data)) % 3
        yield encoded[first : len(encoded) - (0, 3, 2)[left_over]]
