"""Lets ``python -m lakehouse`` do the same as the ``lakehouse`` command."""

import sys

from lakehouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
