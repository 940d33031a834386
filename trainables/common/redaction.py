"""Secrets in text: passwords of URLs, and what the environment holds under a secret's name, become `***`."""

import io
import os
import re
from collections.abc import Mapping
from typing import TextIO
from urllib.parse import unquote

HIDDEN = "***"
LEAST = 6
"""Characters below which a variable's value is left alone: hiding every `1` would tell more than it hides."""
_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]{0,30}://[^\s'\"/:@]{0,500}):[^\s'\"]*@", re.IGNORECASE)
"""Up to the last `@`, because people forget to quote one in a password."""
_TOKEN_AS_USER = re.compile(r"(https?://)[^\s'\"/@]+@", re.IGNORECASE)
_QUERY = re.compile(
    r"([?&][^\s'\"=&#]*(?:password|passwd|secret|token|api_?key)[^\s'\"=&#]*=)[^\s'\"&#]+", re.IGNORECASE
)
_IN_URL = re.compile(r"://[^\s/:@]*:([^\s]+)@")
_NAMES = re.compile(r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|SECRET|SECRET_ACCESS_KEY|API_?KEY)$")


def redact_urls(text: str) -> str:
    """`text` with the password of every URL in it hidden, and the user of a web address, which may be a token."""
    text = _PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _TOKEN_AS_USER.sub(lambda found: found[0] if HIDDEN in found[0] else f"{found[1]}{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`redact_urls`, and every secret of `environment` hidden, wherever it stands."""
    for secret in sorted(_secrets(environment), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redact_urls(text)


def is_redacted(url: str) -> bool:
    """Whether a URL's password, or part of its query, was hidden."""
    return HIDDEN in url


class RedactedStream(io.TextIOBase):
    """Passes text on, line by line, with its secrets hidden; stands where `sys.stderr` does."""

    def __init__(self, target: TextIO) -> None:
        """Write to `target`."""
        self._target, self._begun = target, ""

    def write(self, text: str) -> int:
        """Pass on what is whole lines by now."""
        *lines, self._begun = (self._begun + text).split("\n")
        if lines:
            self._target.write("".join(redact(line) + "\n" for line in lines))
            self._target.flush()
        return len(text)

    def close(self) -> None:
        """Pass on the line that was begun."""
        self._target.write(redact(self._begun))
        self._target.flush()
        self._begun = ""


def _secrets(environment: Mapping[str, str]) -> set[str]:
    named = {value for name, value in environment.items() if _NAMES.search(name.upper())}
    quoted = {found for value in environment.values() for found in _IN_URL.findall(value)}
    plain = {unquote(found) for found in quoted}  # as drivers and servers speak of it
    return {secret for secret in named | quoted | plain if len(secret) >= LEAST and HIDDEN not in secret}
