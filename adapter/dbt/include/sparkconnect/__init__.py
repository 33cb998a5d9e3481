"""SQL macros of the sparkconnect adapter."""

from pathlib import Path

PACKAGE_PATH = str(Path(__file__).parent)
