"""Names of C++ and Rust functions as their authors wrote them.

C++ names follow the Itanium C++ ABI ("External Names"). The C++ run-time library has the reader of them,
`__cxa_demangle`, which is used where it is installed; without it they stay as they are. Rust's are read here.
"""

from kernscope.symbols.demangle_rust import demangle_rust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL

__all__ = ["can_demangle_cpp", "demangle", "plain_forms"]

_LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1")
_known: dict[str, str] = {}
_MOST_KNOWN = 1 << 16
_reader: "list[Callable[[bytes], bytes | None] | None]" = []
"""Empty until the library has been looked for."""


def demangle(name: str) -> str:
    """What a symbol was called in C++ or Rust; any other symbol as it is."""
    if not name.startswith(("_Z", "_R", "__Z", "_GLOBAL_")):
        return name
    text = _known.get(name)
    if text is None:
        text = demangle_rust(name) or _demangle_cpp(name) or name
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[name] = text
    return text


def can_demangle_cpp() -> bool:
    """Whether C++ names can be read here."""
    return _library() is not None


def _demangle_cpp(name: str) -> str | None:
    reader = _library()
    if reader is None:
        return None
    text = reader(name.encode("utf-8", "surrogateescape"))
    return None if text is None else text.decode("utf-8", "surrogateescape")


def _library() -> "Callable[[bytes], bytes | None] | None":
    if not _reader:
        _reader.append(_load())
    return _reader[0]


def _load() -> "Callable[[bytes], bytes | None] | None":
    import ctypes

    for name in _LIBRARIES:
        try:
            return _reader_of(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return None


def _reader_of(library: "CDLL") -> "Callable[[bytes], bytes | None]":
    import ctypes

    function = library.__cxa_demangle
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    status = ctypes.c_int()

    def read(mangled: bytes) -> bytes | None:
        found = function(mangled, None, None, ctypes.byref(status))
        if not found:
            return None
        text = ctypes.string_at(found)
        free(found)
        return text

    return read


def plain_forms(text: str) -> list[str]:
    """The ways to name a demangled function: whole, without parameters, and without template arguments and result.

    `int ns::twice<int>(int)` is also `int ns::twice<int>` and `ns::twice`.
    """
    forms = [text]
    head = text[: _parameters(text)]
    if head != text:
        forms.append(head)
    bare = _without_templates(head).removesuffix("::").replace("::::", "::")
    if "operator" not in bare and "(anonymous namespace)" not in bare:
        bare = bare.rpartition(" ")[2]
    if bare and bare not in forms:
        forms.append(bare)
    return forms


def _parameters(text: str) -> int:
    """Where the list of parameters begins; the end of the text where there is none."""
    depth = 0
    operator = text.find("operator")
    start = max(0, operator + len("operator") + 2) if operator >= 0 else 0  # `operator()`, `operator<<`
    for i in range(start, len(text)):
        c = text[i]
        if c == "<" and not start:
            depth += 1
        elif c == ">" and depth and text[i - 1] != "-":
            depth -= 1
        elif c == "(" and not depth and not text.startswith("(anonymous", i):
            return i
    return len(text)


def _without_templates(text: str) -> str:
    if "<" not in text or "operator" in text:
        return text
    kept: list[str] = []
    depth = 0
    for c in text:
        if c == "<":
            depth += 1
        elif c == ">" and depth:
            depth -= 1
        elif not depth:
            kept.append(c)
    return "".join(kept)
