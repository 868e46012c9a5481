"""Types: in casts, `let`, parameters, `sizeof` and C definitions."""

from .cursor import Cursor
from .expressions import TypeExpr
from .literals import NumberError, read_number
from .node import Expr

__all__ = ["BASIC_TYPES", "TypeParser"]

_C_TYPES = "unsigned signed long short int char double float"
_C_WORDS = frozenset(_C_TYPES.split())

_SIZED_TYPES = (
    "bool void string int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64"
)
BASIC_TYPES = frozenset(_SIZED_TYPES.split()) | _C_WORDS
"""Names that mean a type wherever they stand; so does any name that ends in `_t`."""

_QUALIFIERS = frozenset(("const", "volatile"))


class TypeParser(Cursor):
    def at_type(self) -> bool:
        """Whether the next token starts a type beyond doubt."""
        kind = self.kinds[self.index]
        if kind == "name":
            name = self.text(self.index)
            return name in BASIC_TYPES or name in _QUALIFIERS or name.endswith("_t")
        return kind in ("struct", "union", "enum", "typeof")

    def parse_expression(self) -> Expr:
        raise NotImplementedError

    def parse_type(self) -> TypeExpr:
        """A type with its pointers and array sizes."""
        start = self.index
        result = self.parse_base_type()
        while True:
            kind = self.kinds[self.index]
            if kind == "*":
                self.index += 1
                result.pointers += 1
                self._skip_qualifiers()
            elif kind == "[":
                self.parse_dimension(result)
            else:
                break
        result.span = self.span_from(start)
        return result

    def parse_base_type(self) -> TypeExpr:
        """A type up to, and without, `*` and `[`."""
        self._skip_qualifiers()
        start = self.index
        kind = self.kinds[start]
        if kind in ("struct", "union", "enum"):
            self.index += 1
            name = self.expect_name(f"the {kind}'s name")
            result = TypeExpr(name, kind)
        elif kind == "typeof":
            self.index += 1
            result = TypeExpr("", "typeof", operand=self.parse_type_argument())
        else:
            name = self.expect_name("a type")
            if name in _C_WORDS:
                while self.kinds[self.index] == "name" and self.text(self.index) in _C_WORDS:
                    name += " " + self.text(self.index)
                    self.index += 1
            result = TypeExpr(name)
        self._skip_qualifiers()
        result.span = self.span_from(start)
        return result

    def parse_dimension(self, result: TypeExpr) -> None:
        """`[N]` or `[]`, added to the type."""
        opening = self.index
        self.index += 1
        size: int | None = None
        if self.kinds[self.index] == "number":
            try:
                size = read_number(self.text(self.index))[0]
            except NumberError:
                self.unexpected("the number of elements")
            self.index += 1
        elif self.kinds[self.index] != "]":
            self.unexpected("the number of elements")
        self.expect_close("]", opening)
        result.dims.append(size)

    def parse_type_argument(self) -> Expr | TypeExpr:
        """`(type)` or `(expression)`, as behind `sizeof`."""
        opening = self.index
        self.expect("(")
        argument = self.parse_type() if self.at_type() else self.parse_expression()
        self.expect_close(")", opening)
        return argument

    def _skip_qualifiers(self) -> None:
        while self.kinds[self.index] == "name" and self.text(self.index) in _QUALIFIERS:
            self.index += 1
