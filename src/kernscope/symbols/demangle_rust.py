"""Rust's symbol names: the older ones, and those of RFC 2603 ("v0").

A v0 name is a path in prefix form: `_RNvNtCs1234_7mycrate3foo3bar` is `bar` in `foo` in `mycrate`. What is already
written once is referred to by its place (`B`). Names that break the rules are not Rust's: None.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["demangle_rust"]

_ESCAPES = {
    "$SP$": "@", "$BP$": "*", "$RF$": "&", "$LT$": "<", "$GT$": ">", "$LP$": "(", "$RP$": ")", "$C$": ",",
}  # fmt: skip
_BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_DEPTH = 200
_MOST_PARTS = 5000
"""A name that refers to itself again and again would become longer than memory."""


def demangle_rust(name: str) -> str | None:
    """The path of a Rust function; None for names that are not Rust's."""
    if name.startswith("_R"):
        try:
            return _V0(name[2:].partition(".")[0]).path(in_value=True)
        except (ValueError, IndexError, OverflowError, RecursionError):
            return None
    return _legacy(name)


def _legacy(name: str) -> str | None:
    """`_ZN4core3fmt5write17h0123456789abcdefE`: parts with their lengths, the last one a hash."""
    if not name.startswith("_ZN") or "17h" not in name:
        return None
    at, parts = 3, []
    while at < len(name) and name[at].isdecimal():
        start = at
        while at < len(name) and name[at].isdecimal():
            at += 1
        size = int(name[start:at])
        parts.append(name[at : at + size])
        at += size
    if name[at : at + 1] != "E" or len(parts) < 2 or len(parts[-1]) != 17 or not _is_hash(parts[-1]):
        return None
    return "::".join(_unescaped(part) for part in parts[:-1])


def _is_hash(part: str) -> bool:
    return part[0] == "h" and all(c in "0123456789abcdef" for c in part[1:])


def _unescaped(part: str) -> str:
    if part.startswith("_$"):
        part = part[1:]
    for escape, text in _ESCAPES.items():
        part = part.replace(escape, text)
    pieces = part.split("$u")
    text = pieces[0]
    for piece in pieces[1:]:
        code, dollar, rest = piece.partition("$")
        try:
            text += chr(int(code, 16)) + rest if dollar else "$u" + piece
        except ValueError:
            text += "$u" + piece
    return text.replace("..", "::")


class _V0:
    """One name while it is read; `at` is the place in it."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth, self.parts = text, 0, 0, 0

    def next(self) -> str:
        self.parts += 1
        if self.parts > _MOST_PARTS:
            raise ValueError("too long")
        c = self.text[self.at]
        self.at += 1
        return c

    def eat(self, c: str) -> bool:
        if self.text[self.at : self.at + 1] == c:
            self.at += 1
            return True
        return False

    def base62(self) -> int:
        """A number that ends with `_`: none is 0, `0` is 1, and so on."""
        if self.eat("_"):
            return 0
        value = 0
        while not self.eat("_"):
            value = value * 62 + _DIGITS.index(self.next())
        return value + 1

    def disambiguator(self) -> int:
        return self.base62() + 1 if self.eat("s") else 0

    def identifier(self) -> str:
        self.disambiguator()
        return self.undisambiguated()

    def undisambiguated(self) -> str:
        punycode = self.eat("u")
        start = self.at
        while self.text[self.at].isdecimal():
            self.at += 1
            if self.text[start] == "0":
                break
        size = int(self.text[start : self.at])
        self.eat("_")
        name = self.text[self.at : self.at + size]
        if len(name) != size:
            raise ValueError(name)
        self.at += size
        if punycode:
            plain, _, coded = name.rpartition("_")
            name = (f"{plain}-{coded}" if plain else coded).encode("ascii").decode("punycode")
        return name

    def path(self, *, in_value: bool = False) -> str:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError("too deep")
        try:
            return self._path(self.next(), in_value)
        finally:
            self.depth -= 1

    def _path(self, tag: str, in_value: bool) -> str:
        if tag == "C":
            return self.identifier()
        if tag == "N":
            space = self.next()
            outer = self.path(in_value=in_value)
            number = self.disambiguator()
            name = self.undisambiguated()
            if space.isupper():  # closures and shims have no name of their own
                kind = {"C": "closure", "S": "shim"}.get(space, space)
                return f"{outer}::{{{kind}{':' + name if name else ''}#{number}}}"
            return f"{outer}::{name}" if name else outer
        if tag in "MX":
            self.disambiguator()
            self.path()
            own = self.type()
            return f"<{own}>" if tag == "M" else f"<{own} as {self.path()}>"
        if tag == "Y":
            own = self.type()
            return f"<{own} as {self.path()}>"
        if tag == "I":
            outer = self.path(in_value=in_value)
            arguments = self.until_end(self.argument)
            return f"{outer}{'::' if in_value else ''}<{', '.join(arguments)}>"
        if tag == "B":
            return self.back(lambda: self.path(in_value=in_value))
        raise ValueError(tag)

    def until_end(self, read: "Callable[[], str]") -> list[str]:
        found = []
        while not self.eat("E"):
            found.append(read())
        return found

    def back(self, read: "Callable[[], str]") -> str:
        """What is written at an earlier place."""
        start = self.at - 1
        place = self.base62()
        if place >= start:
            raise ValueError("refers ahead")
        here, self.at = self.at, place
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError("too deep")
        text = read()
        self.depth -= 1
        self.at = here
        return text

    def argument(self) -> str:
        if self.eat("L"):
            return self.lifetime(self.base62())
        return self.constant() if self.eat("K") else self.type()

    def lifetime(self, number: int) -> str:
        return "'_" if number == 0 else f"'{chr(ord('a') + (number - 1) % 26)}"

    def type(self) -> str:
        tag = self.next()
        if tag in _BASIC:
            return _BASIC[tag]
        if tag == "A":
            return f"[{self.type()}; {self.constant()}]"
        if tag == "S":
            return f"[{self.type()}]"
        if tag == "T":
            members = self.until_end(self.type)
            return f"({members[0]},)" if len(members) == 1 else f"({', '.join(members)})"
        if tag in "RQ":
            if self.eat("L"):
                self.base62()
            return f"&{'mut ' if tag == 'Q' else ''}{self.type()}"
        if tag in "PO":
            return f"*{'const' if tag == 'P' else 'mut'} {self.type()}"
        if tag == "F":
            return self.function()
        if tag == "D":
            return self.dynamic()
        if tag == "B":
            return self.back(self.type)
        self.at -= 1
        return self.path()

    def function(self) -> str:
        if self.eat("G"):
            self.base62()
        unsafe = "unsafe " if self.eat("U") else ""
        abi = ""
        if self.eat("K"):
            name = "C" if self.eat("C") else self.undisambiguated().replace("_", "-")
            abi = f'extern "{name}" '
        parameters = ", ".join(self.until_end(self.type))
        result = self.type()
        return f"{unsafe}{abi}fn({parameters})" + ("" if result == "()" else f" -> {result}")

    def dynamic(self) -> str:
        if self.eat("G"):
            self.base62()
        bounds = self.until_end(self.bound)
        if not self.eat("L"):
            raise ValueError("a trait object has a lifetime")
        number = self.base62()
        return "dyn " + " + ".join(bounds) + (f" + {self.lifetime(number)}" if number else "")

    def bound(self) -> str:
        text = self.path()
        while self.eat("p"):
            name = self.undisambiguated()
            inside = text.endswith(">")
            text = (text[:-1] + ", " if inside else text + "<") + f"{name} = {self.type()}>"
        return text

    def constant(self) -> str:
        if self.eat("B"):
            return self.back(self.constant)
        tag = self.next()
        if tag == "p":
            return "_"
        sign = "-" if self.eat("n") else ""
        end = self.text.index("_", self.at)
        digits, self.at = self.text[self.at : end], end + 1
        value = int(digits or "0", 16)
        if tag == "b":
            return "true" if value else "false"
        return repr(chr(value)) if tag == "c" else f"{sign}{value}"
