"""``python -m dispatchcount``."""

import sys

from dispatchcount.cli import main

if __name__ == "__main__":
    sys.exit(main())
