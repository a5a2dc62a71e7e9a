"""Start a trainer process: ``python -m regviz.trainer``; the engine does this."""

from regviz.trainer.process import main

if __name__ == "__main__":
    main()
