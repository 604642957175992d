"""Fetches a release of dbos as its authors packed it, with whatever package index pip is configured for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path


def unpack(version: str, cache: Path) -> Path:
    """The folder of the source distribution of dbos `version`, below `cache`, as it was packed.

    It is downloaded if `cache` lacks it. Raises RuntimeError when that fails.
    """
    archive = cache / f"dbos-{version}.tar.gz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pip("download", "--quiet", "--no-deps", "--no-binary", ":all:", "--ignore-requires-python",
            "--dest", str(cache), f"dbos=={version}")  # fmt: skip
    folder = cache / f"dbos-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(cache, filter="data")
    return folder


def pip(*arguments: str, python: Path | str = sys.executable) -> None:
    """Run the pip of `python`. Raises RuntimeError with what it said when it fails."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip {' '.join(arguments)} failed:\n{done.stderr.strip()}")
