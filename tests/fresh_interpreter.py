"""A fresh interpreter, for tests of the first import."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    """Return the output of code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()
