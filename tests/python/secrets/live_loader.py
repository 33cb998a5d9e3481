"""Runs loader commands in turn as `python -m loaders` does, with the live API's address led to a server of the test.

Each argument is one command as JSON: the address, and the command's arguments.
"""

from __future__ import annotations

import json
import sys
import traceback

from loaders.cli import load
from smart_trader import birdeye
from smart_trader.console import run


def main() -> None:
    commands = [json.loads(text) for text in sys.argv[1:]]
    for command in commands:
        birdeye.BASE_URL = command["url"]
        sys.argv = ["loaders", *command["arguments"]]
        try:
            run(load, "loaders")
        except SystemExit as end:
            print(f"{command['arguments']} ended with {end.code}", flush=True)
        except Exception:
            # with SMART_TRADER_DEBUG an error is shown as Python shows it
            traceback.print_exc()


if __name__ == "__main__":
    main()
