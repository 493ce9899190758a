"""The contracts' code is made from what is committed and from installed packages alone, and changes of it are judged."""

import io
import runpy
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUF = Path(sys.executable).with_name("buf")
WRITE_IMAGE: Callable[[Path, Path], None] = runpy.run_path(str(ROOT / "protos" / "generate.py"))["write_image"]
IMPORT_EVERYTHING = """
import importlib, pkgutil, shared.pb
names = [module.name for module in pkgutil.walk_packages(shared.pb.__path__, "shared.pb.") if not module.ispkg]
for name in names:
    importlib.import_module(name)
print(shared.pb.__file__, len(names))
"""


def buf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs buf with the repository's configuration."""
    return subprocess.run([BUF, *arguments], cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.fixture
def edited_image(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Returns a function that replaces text in a copy of one contract and returns the image of that copy."""

    def edit(name: str, old: str, new: str) -> Path:
        root = tmp_path / "protos"
        shutil.copytree(ROOT / "protos", root)
        contract = root / name
        text = contract.read_text("utf-8")
        assert text.count(old) == 1
        contract.write_text(text.replace(old, new), "utf-8")
        image = tmp_path / "edited.binpb"
        WRITE_IMAGE(image, root)
        return image

    return edit


def test_clean_tree_generates(tmp_path: Path) -> None:
    """A fresh copy of what is committed generates its code, and every generated module imports from that copy."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path, filter="data")
    assert not (tmp_path / "shared" / "pb").exists()
    subprocess.run([sys.executable, "protos/generate.py"], cwd=tmp_path, check=True)
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    origin, count = result.stdout.split()
    assert tmp_path / "shared" / "pb" / "__init__.py" == Path(origin)
    assert len(list((ROOT / "protos").rglob("*.proto"))) < int(count)


def test_removed_field_is_found(tmp_path: Path, edited_image: Callable[[str, str, str], Path]) -> None:
    """A contract that moves a field to another number breaks its peers and does not pass."""
    current = tmp_path / "current.binpb"
    WRITE_IMAGE(current, ROOT / "protos")
    assert 0 == buf("breaking", current, "--against", current).returncode
    edited = edited_image("filingnet/network/v1/entry.proto", "int64 sequence = 4 ", "int64 sequence = 99 ")
    result = buf("breaking", edited, "--against", current)
    assert 'Previously present field "4" with name "sequence" on message "Entry" was deleted' in result.stdout
    assert 100 == result.returncode


def test_missing_comment_is_found(edited_image: Callable[[str, str, str], Path]) -> None:
    """A message without a comment does not pass, and no file that is not ours is judged."""
    comment = "// A signed header: exact bytes and the signature over them.\n"
    result = buf("lint", edited_image("filingnet/network/v1/entry.proto", comment, ""))
    assert 'Message "SignedBatchHeader" should have a non-empty comment' in result.stdout
    assert ["filingnet/network/v1/entry.proto"] == [line.split(":")[0] for line in result.stdout.splitlines()]
    assert 100 == result.returncode
