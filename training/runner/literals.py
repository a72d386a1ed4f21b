"""Python literals in texts that anybody wrote."""

import ast
from typing import Any


def literal(text: str) -> Any:
    """The Python literal in `text`, or None: also where it is too deep, or no value can be so."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
