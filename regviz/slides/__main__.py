"""The process that draws slides for a server: see :mod:`regviz.slides.process`."""

import sys

from regviz.slides.process import answer

if __name__ == "__main__":
    sys.exit(answer(sys.stdin.buffer, sys.stdout.buffer))
