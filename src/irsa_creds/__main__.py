"""`python -m irsa_creds`: the command line."""

from __future__ import annotations

import sys

from irsa_creds.cli import main

if __name__ == "__main__":
    sys.exit(main())
