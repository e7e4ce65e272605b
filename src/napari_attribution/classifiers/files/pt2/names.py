"""What may be a name in a .pt2 file: torch writes Python source from some of them, and runs it."""

import keyword
import re

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
DOTTED = re.compile(r"[\w.@\-]*", re.ASCII)
PART = re.compile(r"[\w\-]+(\.[\w\-]+)*", re.ASCII)
VERSION = re.compile(r"[\w.+<= ]*", re.ASCII)
MODULES = re.compile(r"[\w.,;@\[\]()'\"<>\- ]*", re.ASCII)


def words(text: str) -> frozenset[str]:
    """Names that stand in one text."""
    return frozenset(text.split())


_RESERVED = words("self torch getattr super math operator _operator builtins device inf nan")


def is_reserved(name: str) -> bool:
    """Whether an identifier means something already, to Python or in the source that torch writes."""
    return keyword.iskeyword(name) or name in _RESERVED or name.startswith("__")
