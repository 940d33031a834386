"""Text from outside (file names, class names, other libraries' errors) as one line that no terminal acts on."""

import unicodedata
from pathlib import Path


def printable(text: str) -> str:
    r"""`text` with newlines, control characters, text-direction marks and undecodable bytes as `\n`, `\x1b`, ….

    Letters of any script stay as they are; what comes out is one line, and encodes as UTF-8.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def decodable(name: str) -> str:
    r"""A name that any file can hold: undecodable bytes as `\udce9`, letters composed (NFC), so that systems agree."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())


def shown(path: Path) -> str:
    """`path` as a message names it: from the working folder where it lies below that, else whole; quoted."""
    here = Path.cwd()
    return repr(str(path.relative_to(here) if path.is_relative_to(here) else path))
