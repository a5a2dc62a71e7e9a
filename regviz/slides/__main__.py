"""The process that draws for a server: see :mod:`regviz.slides.apart`."""

import sys

from regviz.slides.apart import answer

if __name__ == "__main__":
    sys.exit(answer(sys.stdin.buffer, sys.stdout.buffer))
