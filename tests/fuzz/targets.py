"""All fuzz targets: every parser of this project that reads bytes from outside."""

from __future__ import annotations

from pathlib import Path

from shared.trust.authority import Authority
from tests.fuzz.evidence_targets import evidence_targets
from tests.fuzz.file_targets import file_targets
from tests.fuzz.target import Target
from tests.fuzz.text_targets import text_targets
from tests.fuzz.wire_targets import wire_targets
from tests.unit.evidence_samples import NOW


def all_targets(folder: Path) -> list[Target]:
    """Returns every target, by name.

    Args:
        folder: an empty one, for what is made to begin from.
    """
    certificate = Authority.create(folder, NOW).certificate_pem
    targets = evidence_targets() + wire_targets(certificate) + file_targets(folder, certificate) + text_targets()
    assert len({target.name for target in targets}) == len(targets)
    return sorted(targets, key=lambda target: target.name)
