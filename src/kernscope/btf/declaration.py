"""Types as C declares them, as `bpftrace -lv 'struct NAME'` prints them. Padding is left out: it has no name."""

from kernscope.btf.btf import Btf
from kernscope.btf.types import BtfType, Kind, Member

__all__ = ["TAGS", "declaration"]

TAGS = {"struct": (Kind.STRUCT,), "union": (Kind.UNION,), "enum": (Kind.ENUM, Kind.ENUM64)}
"""Keyword → the kinds that it declares."""

_KEYWORDS = {kind: tag for tag, kinds in TAGS.items() for kind in kinds}
_QUALIFIERS = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}


def declaration(btf: Btf, type: BtfType) -> str:
    """The definition of a struct, union or enum, without the `;` after it."""
    return _definition(btf, type, "")


def _definition(btf: Btf, type: BtfType, indent: str) -> str:
    head = f"{_KEYWORDS[type.kind]} {type.name}".rstrip()
    inner = indent + "\t"
    if type.kind in TAGS["enum"]:
        rows = [f"{name} = {value}," for name, value in btf.enumerators(type)]
    else:
        rows = [_member(btf, member, inner) for member in btf.members(type)]
    body = "".join(f"{inner}{row}\n" for row in rows)
    return f"{head} {{\n{body}{indent}}}"


def _member(btf: Btf, member: Member, indent: str) -> str:
    bits = f": {member.bitfield_bits}" if member.bitfield_bits else ""
    return f"{_declare(btf, member.type_id, member.name, indent)}{bits};"


def _declare(btf: Btf, id: int, inner: str, indent: str) -> str:
    """`inner` (a name with what already stands around it) declared to be of type `id`."""
    type = btf.type(id)
    if type.kind in _QUALIFIERS:
        word = _QUALIFIERS[type.kind]
        if btf.type(type.type_id).kind == Kind.PTR:
            return _declare(btf, type.type_id, f"{word} {inner}".rstrip(), indent)
        return f"{word} {_declare(btf, type.type_id, inner, indent)}"
    if type.kind == Kind.TYPE_TAG:
        return _declare(btf, type.type_id, inner, indent)
    if type.kind == Kind.PTR:
        inner = f"*{inner}"
        if btf.type(type.type_id).kind in (Kind.FUNC_PROTO, Kind.ARRAY):
            inner = f"({inner})"
        return _declare(btf, type.type_id, inner, indent)
    if type.kind == Kind.ARRAY:
        element, count = btf.array(type)
        return _declare(btf, element, f"{inner}[{count}]", indent)
    if type.kind == Kind.FUNC_PROTO:
        return _declare(btf, type.type_id, f"{inner}({_parameters(btf, type, indent)})", indent)
    return f"{_base(btf, type, indent)} {inner}".rstrip()


def _parameters(btf: Btf, prototype: BtfType, indent: str) -> str:
    parameters = btf.parameters(prototype)
    shown = [_declare(btf, id, "", indent) for _, id in parameters]
    if parameters and parameters[-1][1] == 0:
        shown[-1] = "..."
    return ", ".join(shown) or "void"


def _base(btf: Btf, type: BtfType, indent: str) -> str:
    if type.kind in _KEYWORDS:
        return f"{_KEYWORDS[type.kind]} {type.name}" if type.name else _definition(btf, type, indent)
    if type.kind == Kind.FWD:
        return f"{'union' if type.kind_flag else 'struct'} {type.name}"
    return type.name or "void"
