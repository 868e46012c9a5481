"""Python code made of rules, kept in the cache folder: to compile it takes longer than all else when rules are loaded.

A file is found by the text it was compiled from and by the version of Python's bytecode; a checksum before the code
says that it is whole.
"""

import marshal
from hashlib import sha256
from importlib.util import MAGIC_NUMBER
from types import CodeType

from kernscope.kernel.cache import keep_newest, read_cached, write_cached

__all__ = ["MOST_KEPT", "compiled_code"]

_PREFIX, _SUFFIX = "rules-", ".code"
_DIGEST_BYTES = 32
_LEAST_TEXT = 4096
"""Shorter texts are compiled in less time than a file takes."""
MOST_KEPT = 64
"""Files: one for each type of event, of some sets of rules."""


def compiled_code(text: str) -> CodeType:
    """What `compile` makes of a module's text.

    Raises what `compile` does: SyntaxError, RecursionError, MemoryError.
    """
    if len(text) < _LEAST_TEXT:
        return compile(text, "<rules>", "exec")
    name = f"{_PREFIX}{sha256(MAGIC_NUMBER + text.encode()).hexdigest()[:32]}{_SUFFIX}"
    kept = read_cached(name)
    if kept is not None and sha256(kept[_DIGEST_BYTES:]).digest() == kept[:_DIGEST_BYTES]:
        code = marshal.loads(kept[_DIGEST_BYTES:])
        if isinstance(code, CodeType):
            return code
    code = compile(text, "<rules>", "exec")
    data = marshal.dumps(code)
    if write_cached(name, sha256(data).digest() + data):
        keep_newest(_PREFIX, _SUFFIX, MOST_KEPT)
    return code
