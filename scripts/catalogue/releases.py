"""Finds and downloads the released wheels, with whatever package index pip is configured for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FINAL = re.compile(r"\d+(\.\d+)*")


def version_key(version: str) -> tuple[int, ...]:
    """The numbers of a final release, for sorting."""
    return tuple(int(part) for part in version.split("."))


def find_versions(package: str, since: str, until: str | None) -> list[str]:
    """The final releases of `package` from `since` to `until` (None: the newest), oldest first.

    Raises RuntimeError when the index does not answer or the range is empty.
    """
    output = _pip("index", "versions", "--ignore-requires-python", package)
    match = re.search(r"^Available versions: (.+)$", output, re.MULTILINE)
    listed = [version.strip() for version in match[1].split(",")] if match else []
    final = sorted((version for version in listed if _FINAL.fullmatch(version)), key=version_key)
    first, last = version_key(since), version_key(until) if until else None
    found = [v for v in final if first <= version_key(v) and (last is None or version_key(v) <= last)]
    if not found:
        raise RuntimeError(f"the index knows no release of {package} from {since} to {until or 'now'}")
    return found


def fetch_wheels(package: str, versions: list[str], cache: Path) -> list[Path]:
    """The wheels of `versions`, in that order; those that `cache` lacks are downloaded into it.

    Raises RuntimeError when a download fails.
    """
    cache.mkdir(parents=True, exist_ok=True)

    def fetch(version: str) -> Path:
        pattern = f"{package}-{version}-*.whl"
        if not any(cache.glob(pattern)):
            _pip(
                "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python",
                "--dest", str(cache), f"{package}=={version}",
            )  # fmt: skip
        return next(cache.glob(pattern))

    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        return list(pool.map(fetch, versions))


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip {' '.join(arguments)} failed:\n{done.stderr.strip()}")
    return done.stdout
