"""Runs the code of one Python model, and reports errors by the lines of the model's own file."""

import linecache
import site
import traceback
from pathlib import Path
from typing import Any

GENERATED = "<code added by dbt>"
# frames of these show how Spark and dbt work, not what is wrong with the model
LIBRARIES = ("pyspark", "grpc", "dbt")
JVM_TRACE = "\n\nJVM stacktrace:"


class PythonModel:
    """The compiled code of one model, taken apart into the user's file and what dbt adds."""

    def __init__(self, parsed_model: dict[str, Any], compiled_code: str) -> None:
        self.path = str(parsed_model["original_file_path"])
        self._name = f"dbt_python_model_{parsed_model['name']}"
        self._own_code, self._added_code = self._take_apart(str(parsed_model.get("raw_code") or ""), compiled_code)

    def _take_apart(self, raw_code: str, compiled_code: str) -> tuple[str, str]:
        before, found, after = compiled_code.partition(raw_code)
        if not raw_code or not found:
            return compiled_code, ""
        # dbt strips the blank lines a file begins with; put them back to count as the editor does
        return "\n" * _leading_lines(Path(self.path)) + raw_code, before + after

    def run(self, names: dict[str, Any]) -> None:
        """Run the model's file, then what dbt adds, in one namespace."""
        # as no such module exists, functions travel to Spark's workers by value
        namespace = {**names, "__name__": self._name, "__file__": self.path}
        lines = self._own_code.splitlines(keepends=True)
        linecache.cache[self.path] = (len(self._own_code), None, lines, self.path)
        exec(compile(self._own_code, self.path, "exec"), namespace)  # noqa: S102 - it is the job
        exec(compile(self._added_code, GENERATED, "exec"), namespace)  # noqa: S102

    def explain(self, exc: BaseException) -> str:
        """Return the error with the line of the model it came from and a short traceback."""
        message = str(exc).split(JVM_TRACE)[0].strip()
        frames = traceback.extract_tb(exc.__traceback__)
        own = [frame for frame in frames if frame.filename == self.path]
        if isinstance(exc, SyntaxError) and exc.filename == self.path:
            place = f"{self.path}, line {exc.lineno}"
        elif own:
            place = f"{self.path}, line {own[-1].lineno}"
        else:
            # Spark computes late: what model() returned failed when it was written
            place = f"{self.path}, when its result was written"
        shown = frames[frames.index(own[0]) :] if own else []
        shown = [frame for frame in shown if not _is_library(frame.filename)]
        text = f"Python model failed at {place}\n{type(exc).__name__}: {message}"
        if shown:
            text += "\nTraceback (most recent call last):\n" + "".join(traceback.format_list(shown))
        return text.rstrip()


def _leading_lines(path: Path) -> int:
    """Count the blank lines before the first line of code of the file on disk."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 0
    return text[: len(text) - len(text.lstrip())].count("\n")


def _is_library(filename: str) -> bool:
    roots = [Path(root) for root in site.getsitepackages()] + [Path(__file__).parents[3]]
    return any(filename.startswith(str(root / name)) for root in roots for name in LIBRARIES)
