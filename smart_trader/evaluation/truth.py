"""Who each wallet really is: of the market a lake remembers, or of a file that `sandbox truth` wrote."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from smart_trader.addresses import is_address, shown
from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market.roles import ROLES

COLUMNS = ("address", "kind")
FILE_FIX = "write it with: smart-trader sandbox truth --seed 7 --format csv > truth.csv"


def read_truth(path: Path) -> dict[str, str]:
    """Read the kind of each address from a CSV file; other columns may stand in it too.

    Raises:
        SmartTraderError: The file cannot be read, or a line is no truth; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SmartTraderError(f"there is no file {path}", FILE_FIX) from None
    except OSError as error:
        raise SmartTraderError(f"{path} cannot be read: {error.strerror}", "name a file that can be read") from None
    except UnicodeDecodeError:
        raise SmartTraderError(f"{path} is no text of UTF-8", FILE_FIX) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    kinds: dict[str, str] = {}
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise _fault(path, 1, f"the first line names no column {' and no column '.join(missing)}")
        for row in reader:
            address, kind = _checked(path, reader.line_num, row)
            if kinds.setdefault(address, kind) != kind:
                raise _fault(path, reader.line_num, f"{address} is {kind}, and {kinds[address]} above")
    except csv.Error as error:
        raise _fault(path, reader.line_num, f"no CSV ({error})") from None
    if not kinds:
        raise SmartTraderError(f"{path} names no address", FILE_FIX)
    return kinds


def _checked(path: Path, line: int, row: dict[str, str | None]) -> tuple[str, str]:
    """Return address and kind of a line."""
    address, kind = ((row[name] or "").strip() for name in COLUMNS)
    # a line with more fields than the first has them under no name
    if None in row or any(value is None for value in row.values()):
        raise _fault(path, line, "it has more or fewer fields than the first line")
    if not is_address(address):
        raise _fault(path, line, f"{shown(address)} is no Solana address")
    if kind not in ROLES:
        raise _fault(path, line, f"{shown(kind)} is no kind; the kinds are {', '.join(ROLES)}")
    return address, kind


def _fault(path: Path, line: int, what: str) -> SmartTraderError:
    return SmartTraderError(f"{path}, line {line}: {what}", FILE_FIX)
