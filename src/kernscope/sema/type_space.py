"""What the names of types mean in one program: basic names, its own C definitions, the kernel's types."""

from collections.abc import Callable, Sequence

from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.kernel.errors import NotSupportedError
from kernscope.syntax.ast import (
    CDefinition,
    CEnum,
    CField,
    CStruct,
    Expr,
    HeaderTypes,
    IntLiteral,
    Typedef,
    TypeExpr,
    Unary,
)
from kernscope.types import INT8, Array, Enum, Pointer, String, Struct, Type

from .c_layout import same_layout
from .typenames import named_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from kernscope.kernel.interface import KernelFacts
    from kernscope.probes import Target
    from kernscope.probes.base import TargetTypes
    from kernscope.types.from_btf import KernelTypes

    T = TypeVar("T", bound=Type)
    Report = Callable[[Diagnostic], None]
    TypeOf = Callable[[Expr], Type | None]

__all__ = ["TypeSpace"]


class TypeSpace:
    """Resolves type names. The kernel's BTF is only opened for a name that nothing else explains."""

    def __init__(self, kernel: "KernelFacts", report: "Report") -> None:
        self.kernel, self.report = kernel, report
        self.structs: dict[str, Struct] = {}
        self.enums: dict[str, Enum] = {}
        self.typedefs: dict[str, Type] = {}
        self.enumerators: dict[str, tuple[Enum, int]] = {}
        """Names of enum values: the program's own, and those of the kernel that were asked for."""
        self.targets: Sequence[Target] = ()
        """The targets of the action that is checked: a program's debug information has types, too."""
        self._headers: dict[str, CDefinition] = {}
        """Types of system headers that nothing has asked for yet, by `struct name` and the like."""
        self._no_kernel_types: NotSupportedError | None = None
        self._anonymous = 0
        self._broken: set[str] = set()
        """Structs whose definition has been reported: what uses them is not reported again."""

    # --- the kernel's types --------------------------------------------------------------------------------

    def kernel_types(self) -> "KernelTypes | None":
        """The kernel's types, or None where it has no BTF."""
        from kernscope.types.from_btf import kernel_types

        try:
            return kernel_types(self.kernel)
        except NotSupportedError as problem:
            self._no_kernel_types = problem
            return None

    def _of_targets(self, ask: "Callable[[TargetTypes], T | None]") -> "T | None":
        """What the programs that are probed have, where all of them have the same."""
        found = None
        for target in self.targets:
            types = target.kind.types(self.kernel, target)
            answer = ask(types) if types is not None else None
            if answer is None:
                return None
            if found is not None and found is not answer and not same_layout(found, answer):
                return None
            found = answer
        return found

    def enumerator(self, name: str) -> tuple[Enum, int] | None:
        """The enum and the value of a name that no built-in has: of the program, or of the kernel."""
        found = self.enumerators.get(name)
        if found is None and self.kernel.has_feature("btf"):
            kernel = self.kernel_types()
            found = kernel.enumerator(name) if kernel is not None else None
            if found is not None:
                self.enumerators[name] = found
        if found is None and self._from_header(f"enumerator {name}"):
            found = self.enumerators.get(name)
        return found

    def struct(self, tag: str, name: str) -> Struct | None:
        found = self.structs.get(f"{tag} {name}")
        if found is None or found.is_mention:
            found = self._of_targets(lambda types: types.struct(tag, name))
        if found is None:
            kernel = self.kernel_types()
            found = kernel.struct(tag, name) if kernel is not None else None
        if found is None and self._from_header(f"{tag} {name}"):
            found = self.structs.get(f"{tag} {name}")
        return found

    def completed(self, t: Struct) -> Struct | None:
        """The struct that a mention means; None where nobody defines it."""
        if not t.is_mention:
            return t
        tag, _, name = t.name.partition(" ")
        return self.structs[t.name] if t.name in self.structs else self.struct(tag, name)

    def size_of(self, t: Type) -> int:
        """Bytes, also of a mentioned struct (0 where it is unknown)."""
        if isinstance(t, Struct):
            found = self.completed(t)
            return found.size if found is not None else 0
        return t.size

    # --- C definitions -------------------------------------------------------------------------------------

    def define(self, definitions: Sequence[CDefinition]) -> None:
        """Take in the program's own definitions, in their order."""
        for definition in definitions:
            if isinstance(definition, CStruct):
                self._define_struct(definition)
            elif isinstance(definition, CEnum):
                self._define_enum(definition)
            elif isinstance(definition, Typedef):
                t = self._field_type(definition.type, definition.name)
                if t is not None:
                    self.typedefs[definition.name] = t
            elif isinstance(definition, HeaderTypes):
                self._note_header(definition.definitions)

    def _note_header(self, definitions: Sequence[CDefinition]) -> None:
        for node in definitions:
            if isinstance(node, CStruct) and node.name and node.fields is not None:
                self._headers[f"{node.kind} {node.name}"] = node
            elif isinstance(node, Typedef):
                self._headers[node.name] = node
            elif isinstance(node, CEnum):
                if node.name:
                    self._headers[f"enum {node.name}"] = node
                for member in node.members:
                    self._headers[f"enumerator {member.name}"] = node

    def _from_header(self, key: str) -> bool:
        """Define what a system header says of a name that neither the program nor the kernel knows."""
        node = self._headers.pop(key, None)
        if node is None:
            return False
        report, self.report = self.report, lambda finding: None
        self.define([node])
        self.report = report
        return True

    def _name(self, tag: str, name: str | None, hint: str) -> str:
        if name:
            return f"{tag} {name}"
        self._anonymous += 1
        return hint or f"{tag} (anonymous {self._anonymous})"

    def _define_struct(self, node: CStruct, hint: str = "") -> Struct:
        from .c_layout import CMember, lay_out

        name = self._name(node.kind, node.name, hint)
        if node.fields is None:
            return self.structs.setdefault(name, Struct(name, 0, {}))
        members = []
        for field in node.fields:
            t = self._member_type(field)
            if t is not None:
                members.append(CMember(field.name, t, field.bits))
            else:
                self._broken.add(name)
        made = self.structs[name] = lay_out(name, node.kind == "union", members, node.packed)
        return made

    def _member_type(self, field: CField) -> Type | None:
        from .c_layout import holds_bits

        t = self._field_type(field.type, field.name or "")
        if t is not None and field.bits is not None and (not holds_bits(t) or field.bits > 8 * t.size):
            self.report(
                error("bad-bit-field", f"`{t}` has no bit-field of {field.bits} bits", field.type.span)
            )
            return None
        if isinstance(t, Struct) and t.is_mention:
            completed = self.completed(t)
            if completed is None:
                self._unknown(field.type, *t.name.split(" ", 1))
            return completed
        return t

    def _field_type(self, node: TypeExpr, hint: str) -> Type | None:
        """The type of a member or typedef: arrays of `char` are strings, pointers may lead to the unknown."""
        base = self._base(node, hint, mention=True)
        if base is None:
            return None
        for _ in range(node.pointers):
            base = Pointer(base)
        dims = list(node.dims)
        if (
            base == INT8
            and dims
            and dims[-1]
            and node.name.split()[-1:] == ["char"]
            and "signed" not in node.name
        ):
            base = String(dims.pop() or 0)
        for count in reversed(dims):
            base = Array(base, count or 0)
        return base

    def _define_enum(self, node: CEnum, hint: str = "") -> Enum:
        name = self._name("enum", node.name, hint)
        values: list[tuple[str, int]] = []
        for member in node.members:
            value = values[-1][1] + 1 if values else 0
            if member.value is not None:
                known = self._constant(member.value, dict(values))
                if known is None:
                    self.report(
                        error(
                            "not-constant",
                            "this must be a number that is known when compiling",
                            member.value.span,
                        )
                    )
                else:
                    value = known
            values.append((member.name, value))
        names: dict[int, str] = {}
        for enumerator, value in values:
            names.setdefault(value, enumerator)
        wide = any(not -(1 << 31) <= value < 1 << 32 for _, value in values)
        made = Enum(name, names, 64 if wide else 32, any(value < 0 for _, value in values))
        self.enums[name] = made
        for enumerator, value in values:
            self.enumerators[enumerator] = (made, value)
        return made

    def _constant(self, node: Expr, earlier: dict[str, int]) -> int | None:
        from kernscope.syntax.constants import NotConstant, evaluate

        known = {name: value for name, (_, value) in self.enumerators.items()} | earlier
        try:
            return evaluate(_with_values(node, known), {})
        except NotConstant:
            return None

    # --- names ---------------------------------------------------------------------------------------------

    def resolve(self, node: TypeExpr, type_of: "TypeOf") -> Type | None:
        """The type that a node names; None after reporting that there is none. An array without a size has 0."""
        if node.name in ("string", "buffer") and not node.tag and not node.pointers:
            return named_type(node)
        base = type_of(node.operand) if isinstance(node.operand, Expr) else None
        if isinstance(node.operand, TypeExpr):
            base = self.resolve(node.operand, type_of)
        if node.operand is None:
            base = self._base(node, "", mention=node.pointers > 0)
        if base is None:
            return None
        for _ in range(node.pointers):
            base = Pointer(base)
        for count in reversed(node.dims):
            base = Array(base, count or 0)
        return base

    def is_type_name(self, name: str) -> bool:
        """Whether the program defines a type of this name."""
        return name in self.typedefs or f"struct {name}" in self.structs

    def _base(self, node: TypeExpr, hint: str, *, mention: bool) -> Type | None:
        """The type without pointers and array sizes."""
        if isinstance(node.body, CStruct):
            return self._define_struct(node.body, hint)
        if isinstance(node.body, CEnum):
            return self._define_enum(node.body, hint)
        if node.tag in ("struct", "union"):
            return self._tagged(node, mention=mention)
        if node.tag == "enum":
            found: Type | None = self.enums.get(f"enum {node.name}")
            if found is None:
                found = self._of_targets(lambda types: types.enum(node.name))
            if found is None:
                kernel = self.kernel_types()
                found = kernel.enum(node.name) if kernel is not None else None
            if found is None and self._from_header(f"enum {node.name}"):
                found = self.enums.get(f"enum {node.name}")
        else:
            found = self.named(node.name)
        if found is None:
            self._unknown(node, node.tag, node.name)
        return found

    def named(self, name: str) -> Type | None:
        """The type of a name without `struct` and the like, which may be left out where no other type has the name."""
        found = self.typedefs.get(name) or named_type(TypeExpr(name))
        if found is None:
            found = self.structs.get(f"struct {name}") or self.structs.get(f"union {name}")
        if found is not None or " " in name:
            return found
        found = self._of_targets(lambda types: types.typedef(name) or types.struct("struct", name))
        if found is not None:
            return found
        kernel = self.kernel_types()
        if kernel is not None:
            found = kernel.typedef(name) or kernel.struct("struct", name) or kernel.struct("union", name)
        if found is None and self._headers:
            if self._from_header(name):
                return self.typedefs.get(name)
            return self.struct("struct", name) or self.struct("union", name)
        return found

    def _tagged(self, node: TypeExpr, *, mention: bool) -> Struct | None:
        name = f"{node.tag} {node.name}"
        found = self.structs.get(name)
        if found is not None and not found.is_mention:
            return found
        if name in self._broken:
            return None
        found = self._of_targets(lambda types: types.struct(node.tag, node.name))
        if found is not None:
            return found
        if mention and node.pointers:
            return Struct(name, 0, {})  # looked up when something behind the pointer is wanted
        found = self.struct(node.tag, node.name)
        if found is None:
            self._unknown(node, node.tag, node.name)
        return found

    def _unknown(self, node: TypeExpr, tag: str, name: str) -> None:
        text = f"{tag} {name}".strip()
        if self._no_kernel_types is not None:
            self.report(
                error(
                    "no-kernel-types",
                    f"`{text}` is not defined here, and this kernel does not describe its types",
                    node.span,
                    notes=f"it needs {self._no_kernel_types.needs}",
                    help=f"define it before the probes: `{text} {{ … }}`" if tag else None,
                )
            )
            return
        own = [n.partition(" ")[2] for n in (*self.structs, *self.enums) if n.startswith(f"{tag} ")]
        near = suggest(name, own or self._kernel_names(tag))
        self.report(
            error(
                "unknown-type",
                f"there is no type `{text}`",
                node.span,
                help=f"did you mean `{f'{tag} {near}'.strip()}`?" if near else None,
            )
        )

    def _kernel_names(self, tag: str) -> list[str]:
        kernel = self.kernel_types()
        if kernel is None or tag not in ("struct", "union", "enum"):
            return [*self.typedefs, "int32", "uint32", "int64", "uint64", "string", "bool"]
        return kernel.names(tag)


def _with_values(node: Expr, known: dict[str, int]) -> Expr:
    """A copy of a constant expression in which enumerators stand as numbers."""
    from kernscope.syntax.ast import Binary, Identifier

    if isinstance(node, Identifier) and node.name in known:
        value = known[node.name]
        literal = IntLiteral(abs(value), span=node.span)
        return literal if value >= 0 else Unary("-", literal, node.span)
    if isinstance(node, Unary):
        return Unary(node.op, _with_values(node.operand, known), node.span)
    if isinstance(node, Binary):
        return Binary(node.op, _with_values(node.left, known), _with_values(node.right, known), node.span)
    return node
