"""Generates the contracts' code before packaging; everything else about the package is in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithContracts(build_py):
    """Runs protos/generate.py first, for wheels and editable installs alike."""

    def run(self) -> None:
        runpy.run_path(str(Path(__file__).parent / "protos" / "generate.py"))["generate"]()
        super().run()


setup(cmdclass={"build_py": BuildWithContracts})
