"""Start a trainer process: ``python -m regviz.trainer``; the engine does it."""

from regviz.trainer.trainer import main

if __name__ == "__main__":
    main()
