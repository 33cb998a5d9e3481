"""`python -m smart_trader.lakehouse`: the same commands as `smart-trader lakehouse`."""

from smart_trader.console import run
from smart_trader.lakehouse.cli import lakehouse

if __name__ == "__main__":
    run(lakehouse, "python -m smart_trader.lakehouse")
