"""Generates the contracts' code before packaging; everything else about the package is in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithContracts(build_py):
    """Runs protos/generate.py first, for wheels and editable installs alike."""

    def run(self) -> None:
        """Generates, then packages; setuptools listed the packages before the generated ones existed."""
        runpy.run_path(str(ROOT / "protos" / "generate.py"))["generate"]()
        generated = find_namespace_packages(str(ROOT), include=["shared.pb", "shared.pb.*"])
        self.packages = sorted({*self.packages, *generated})
        super().run()


setup(cmdclass={"build_py": BuildWithContracts})
