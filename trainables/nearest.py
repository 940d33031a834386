"""What somebody who mistyped a name may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def name_known(word: str, known: Iterable[str]) -> str:
    """For errors: `There are a, b, c.`, and in front of it the one of them that `word` looks like, if one does."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    close = get_close_matches(word.casefold(), folded, n=1)
    return (f"Did you mean {folded[close[0]]}? " if close else "") + f"There are {', '.join(names)}"
