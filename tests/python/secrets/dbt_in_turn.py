"""Runs dbt commands in turn in one process; each argument is one command's arguments as JSON."""

from __future__ import annotations

import json
import sys

from dbt.cli.main import dbtRunner


def main() -> None:
    for text in sys.argv[1:]:
        arguments = json.loads(text)
        result = dbtRunner().invoke(arguments)
        print(f"dbt {arguments[0]} succeeded: {result.success}", flush=True)


# dbt starts processes that import this file
if __name__ == "__main__":
    main()
