"""What a fuzz target is: one parser, what it may refuse with, good inputs to begin from, and what holds of its answer.

A target fails by any error that its parser does not document, by an assertion about what it read, by taking 20 seconds
for one input, or by 1 GiB of memory. Inputs and keys are the same on every run, so that what failed fails again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import FilingnetError
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey

LONGEST_INPUT = 4096
FAILED = "failed-by-an-error"
"""Name of the file with the input that the parser failed of."""

Parse = Callable[[bytes, Path], None]
"""Reads an input; the folder is the target's own, for parsers of files."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser to fuzz.

    Args:
        name: of the parser, in small letters and hyphens.
        parse: reads an input and asserts what holds of what it read.
        seeds: good inputs.
        refusals: what the parser may raise, as it documents.
        longest: the longest input to try, in bytes.
    """

    name: str
    parse: Parse
    seeds: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = field(default=(FilingnetError, ProofError))
    longest: int = LONGEST_INPUT

    def try_input(self, data: bytes, folder: Path) -> None:
        """Gives an input to the parser; raises what the parser must not, and keeps the input then."""
        try:
            self.parse(data, folder)
        except self.refusals:
            return
        except BaseException:
            folder.with_name(FAILED).write_bytes(data)
            raise


def signing_key(name: str) -> SigningKey:
    """Returns the signing key of a name, the same on every run."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()))


def text_of(data: bytes) -> str:
    """Reads an input as text; what is no UTF-8 becomes replacement characters, as where programs read files so."""
    return data.decode("utf-8", "replace")
