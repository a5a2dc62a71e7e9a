"""``python -m regviz``: the command line."""

import sys

from regviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
