"""Names of products: accounts share them, so none may look like another one's."""

from __future__ import annotations

import re
import unicodedata

ALIKE = frozenset(
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423"
    "\u0425\u0430\u0435\u0455\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u04bb\u0501\u051b"
    "\u051d\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5"
    "\u03a7\u03bf\u03c1\u03bd"
)
"""Letters of Cyrillic and Greek that look like Latin ones."""

WORD = re.compile(r"[^\W\d_]+")
UNSEEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
"""Unicode's general categories of what cannot be seen."""
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Of other categories, what cannot be seen either."""
VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""What says how the character before it is drawn, as of emoji: it makes no other name."""


def plain_name(name: str) -> str:
    """A name as it is kept: what is the same to a reader, as by NFKC, is written in one way."""
    return " ".join(VARIATIONS.sub("", unicodedata.normalize("NFKC", name)).split())


def flaw_of(name: str) -> str:
    """Why a name could be taken for another one, such as "has the unseen character U+200B"; or ''.

    Only the name itself decides. If other accounts' names did, one of them could take a name first,
    and keep out whoever it belongs to.
    """
    for character in name:
        if unicodedata.category(character) in UNSEEN or character in BLANK:
            return f"has the unseen character U+{ord(character):04X}"
    for word in WORD.findall(name):
        foreign = next((letter for letter in word if letter in ALIKE), "")
        if foreign and any(unicodedata.name(c, "").startswith("LATIN ") for c in word):
            return f"mixes Latin letters with {unicodedata.name(foreign)}"
    return ""
