"""Entry point of `python -m loaders`."""

from loaders.cli import load
from smart_trader.console import run

if __name__ == "__main__":
    run(load, "python -m loaders")
