"""A fresh interpreter, for what only the first import shows."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()
