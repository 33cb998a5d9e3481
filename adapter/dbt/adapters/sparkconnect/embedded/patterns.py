"""Java's patterns, of times and of text, as DuckDB's."""

import re

_TIME_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f"}
_TIME_PART = re.compile(
    r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>[^A-Za-z'])"
)
_LINE_END = r"(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])?\z"
_SPACES = r"\t\n\x0B\f\r "
# what Java reads and RE2 does not, or reads otherwise
_NOT_IN_RE2 = re.compile(r"\(\?[=!<]|\(\?>|[*+?}]\+|&&|\(\?[a-z-]*[udx]")
_KNOWN_ESCAPES = set("dDwWbtnrf.^$|()[]{}*+?\\/-\"'")


def strftime_pattern(pattern: str) -> str | None:
    """Return DuckDB's strftime pattern for one of Java's date patterns, or None if a letter is not known."""
    parts = []
    for found in _TIME_PART.finditer(pattern):
        if found["quoted"] is not None:
            parts.append((found["quoted"].replace("''", "'") or "'").replace("%", "%%"))
        elif found["letters"]:
            if found["letters"] not in _TIME_LETTERS:
                return None
            parts.append(_TIME_LETTERS[found["letters"]])
        else:
            parts.append(found["other"].replace("%", "%%"))
    return None if pattern.count("'") % 2 else "".join(parts)


def re2_pattern(pattern: str) -> str | None:
    """Return RE2's pattern for one of Java's, or None where the two do not mean the same."""
    if _NOT_IN_RE2.search(pattern):
        return None
    parts: list[str] = []
    is_in_class = False
    position = 0
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            escaped = pattern[position + 1 : position + 2]
            if escaped == "s":
                parts.append(_SPACES if is_in_class else f"[{_SPACES}]")
            elif escaped in _KNOWN_ESCAPES and escaped:
                parts.append(sign + escaped)
            else:
                return None
            position += 2
            continue
        if is_in_class and sign == "[":
            return None
        is_in_class = sign == "[" or (is_in_class and sign != "]")
        parts.append(_LINE_END if sign == "$" and not is_in_class else sign)
        position += 1
    return None if is_in_class else "".join(parts)


def re2_replacement(text: str) -> str | None:
    """Return RE2's replacement text for one of Java's, or None if it names a group."""
    if re.search(r"\$\{|\\[^$\\]|\$(?!\d)", text) or re.search(r"\$\d\d", text):
        return None
    return re.sub(r"(?<!\\)\$(\d)", r"\\\1", text.replace("\\\\", "\\\\\\\\")).replace("\\$", "$")
