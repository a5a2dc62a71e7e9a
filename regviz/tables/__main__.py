"""The process that reads one table: a file on standard input, a sheet or an error as its answer."""

import sys

from regviz.tables.process import answer

if __name__ == "__main__":
    sys.exit(answer(sys.stdin.buffer, sys.stdout.buffer))
