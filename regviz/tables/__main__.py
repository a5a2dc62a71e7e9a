"""The process that reads one table: a file comes in, a sheet or a sentence goes out."""

import sys

from regviz.tables.process import answer

if __name__ == "__main__":
    sys.exit(answer(sys.stdin.buffer, sys.stdout.buffer))
