"""Shows the secret scan what a BirdEye key looks like without quotes around it: 32 hex digits after a word for key."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class BirdeyeKeyDetector(RegexBasedDetector):
    """Finds a key in a header, an address, a command or a setting."""

    secret_type = "BirdEye API key"  # noqa: S105  # pragma: allowlist secret
    denylist = (re.compile(r"(?i)(?:key|token|secret)\W{1,4}([0-9a-f]{32})(?![0-9a-f])"),)
