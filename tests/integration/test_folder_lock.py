"""A folder belongs to one process: `shared.folder_lock`, against a real second process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import FailedPrecondition
from shared.folder_lock import FolderLock

HOLDER = """
import pathlib, sys
from shared.folder_lock import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]), "node")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_let_go_when_its_process_dies(tmp_path: Path) -> None:
    """Guards: a second process is refused while the first lives, and taken after it was killed."""
    folder = tmp_path / "node"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert "held\n" == holder.stdout.readline()
        with pytest.raises(FailedPrecondition) as refused:
            FolderLock(folder, "node")
        holder.kill()
    assert "FOLDER_IN_USE" == refused.value.reason
    assert f"the node in {folder}" in refused.value.message
    FolderLock(folder, "node").close()


def test_a_folder_can_be_let_go_and_taken_again(tmp_path: Path) -> None:
    """Guards: closing lets the folder go, also when it is done twice; the folder is private."""
    folder = tmp_path / "deep" / "node"
    lock = FolderLock(folder, "vault")
    with pytest.raises(FailedPrecondition):
        FolderLock(folder, "vault")
    lock.close()
    lock.close()
    FolderLock(folder, "vault").close()
    assert 0o700 == folder.stat().st_mode & 0o777
