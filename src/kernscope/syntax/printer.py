"""A tree as program text. Parsing the text gives the same tree; the layout is always the same.

Parentheses are written only where the tree needs them: each kind of expression has a level (how tightly it
binds), each place a lowest level that may stand there bare.
"""

from __future__ import annotations

from . import definitions as d
from . import expressions as e
from . import statements as s
from .literals import encode_string
from .node import CDefinition, Expr, Node, Statement
from .parse_expressions import PRECEDENCE
from .parse_types import BASIC_TYPES

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["print_expression", "print_program", "print_type"]

_ANY = 0
_BINARY = 1
_UNARY = 11
_POSTFIX = 12
_INDENT = "  "


def _level(node: Expr) -> int:
    """How tightly the outermost operator binds."""
    if isinstance(node, e.Binary):
        return PRECEDENCE[node.op]
    if isinstance(node, (e.Ternary, e.IfExpr, e.BlockExpr)):
        return _ANY
    if isinstance(node, (e.Unary, e.Cast, e.Comptime)) or (isinstance(node, e.Update) and node.prefix):
        return _UNARY
    return _POSTFIX


def print_expression(node: Expr, lowest: int = _ANY, indent: str = "") -> str:
    """An expression, in parentheses where it binds less tightly than `lowest`."""
    text: str = _EXPRESSIONS[type(node)](node, indent)
    return f"({text})" if _level(node) < lowest else text


def _list(nodes: list[Expr], indent: str) -> str:
    return ", ".join([print_expression(node, _ANY, indent) for node in nodes])


def _binary(node: e.Binary, indent: str) -> str:
    level = PRECEDENCE[node.op]
    left = print_expression(node.left, level, indent)
    return f"{left} {node.op} {print_expression(node.right, level + 1, indent)}"


def _unary(node: e.Unary, indent: str) -> str:
    operand = print_expression(node.operand, _UNARY, indent)
    # `- -x` must not become `--x`, nor `& &x` `&&x`; `**x` is fine.
    return f"{node.op} {operand}" if operand[0] == node.op and node.op in "-+&" else node.op + operand


def _update(node: e.Update, indent: str) -> str:
    target = print_expression(node.target, _UNARY if node.prefix else _POSTFIX, indent)
    return node.op + target if node.prefix else target + node.op


def _ternary(node: e.Ternary, indent: str) -> str:
    cond = print_expression(node.cond, _BINARY, indent)
    orelse = print_expression(node.orelse, _ANY, indent)
    if node.then is None:
        return f"{cond} ?: {orelse}"
    return f"{cond} ? {print_expression(node.then, _ANY, indent)} : {orelse}"


def _cast(node: e.Cast, indent: str) -> str:
    operand = print_expression(node.operand, _UNARY, indent)
    if operand[0] in "-+*&" and not _is_known_type(node.type):
        operand = f"({operand})"  # else `(name) - 1` would read as a subtraction
    return f"({print_type(node.type, indent)}){operand}"


def _is_known_type(type_: e.TypeExpr) -> bool:
    name = type_.name
    return bool(type_.tag or type_.pointers or name in BASIC_TYPES or name.endswith("_t") or " " in name)


def _base(node: Expr, indent: str) -> str:
    text = print_expression(node, _POSTFIX, indent)
    return f"({text})" if isinstance(node, e.IntLiteral) else text


def _map(node: e.MapRef, indent: str) -> str:
    keys = "" if node.keys is None else f"[{_list(node.keys, indent)}]"
    return f"@{node.name}{keys}"


def _tuple(node: e.TupleExpr, indent: str) -> str:
    comma = "," if len(node.elements) == 1 else ""
    return f"({_list(node.elements, indent)}{comma})"


def _record(node: e.RecordExpr, indent: str) -> str:
    fields = [f"{field.name} = {print_expression(field.value, _ANY, indent)}" for field in node.fields]
    return f"({', '.join(fields)})"


def _argument(node: Expr | e.TypeExpr, indent: str) -> str:
    return print_type(node, indent) if isinstance(node, e.TypeExpr) else print_expression(node, _ANY, indent)


def _if_expression(node: e.IfExpr, indent: str) -> str:
    result = node.orelse.result
    if isinstance(result, e.IfExpr) and not node.orelse.statements:
        orelse = _if_expression(result, indent)
    else:
        orelse = _block(node.orelse, indent)
    return f"if ({print_expression(node.cond, _ANY, indent)}) {_block(node.then, indent)} else {orelse}"


_EXPRESSIONS: dict[type[Node], Callable[[Any, str], str]] = {
    e.IntLiteral: lambda node, indent: node.text,
    e.StringLiteral: lambda node, indent: encode_string(node.value),
    e.BoolLiteral: lambda node, indent: "true" if node.value else "false",
    e.Identifier: lambda node, indent: node.name,
    e.Variable: lambda node, indent: "$" + node.name,
    e.PositionalParam: lambda node, indent: f"${node.index}",
    e.ParamCount: lambda node, indent: "$#",
    e.MapRef: _map,
    e.Unary: _unary,
    e.Update: _update,
    e.Binary: _binary,
    e.Ternary: _ternary,
    e.Cast: _cast,
    e.FieldAccess: lambda node, indent: f"{_base(node.base, indent)}{'->' if node.arrow else '.'}{node.name}",
    e.TupleAccess: lambda node, indent: f"{_base(node.base, indent)}.{node.index}",
    e.Index: lambda node, indent: (
        f"{_index_base(node.base, indent)}[{print_expression(node.index, 0, indent)}]"
    ),
    e.Call: lambda node, indent: f"{node.name}({_list(node.args, indent)})",
    e.TupleExpr: _tuple,
    e.RecordExpr: _record,
    e.Sizeof: lambda node, indent: f"sizeof({_argument(node.arg, indent)})",
    e.TypeInfo: lambda node, indent: f"typeinfo({_argument(node.arg, indent)})",
    e.Offsetof: lambda node, indent: f"offsetof({_argument(node.arg, indent)}, {'.'.join(node.fields)})",
    e.Comptime: lambda node, indent: f"comptime {print_expression(node.operand, _UNARY, indent)}",
    e.BlockExpr: lambda node, indent: _block(node.block, indent),
    e.IfExpr: _if_expression,
}


def _index_base(node: Expr, indent: str) -> str:
    text = print_expression(node, _POSTFIX, indent)
    # `@x[1]` is a map's key, `(@x)[1]` an element of the map's value.
    return f"({text})" if isinstance(node, e.MapRef) and node.keys is None else text


def print_type(type_: e.TypeExpr, indent: str = "") -> str:
    """A type as in a cast."""
    stars = " " + "*" * type_.pointers if type_.pointers else ""
    return _base_type(type_, indent) + stars + _dimensions(type_)


def _base_type(type_: e.TypeExpr, indent: str) -> str:
    if type_.body is not None:
        return _c_definition(type_.body, indent)
    if type_.tag == "typeof":
        return f"typeof({_argument(type_.operand, indent)})" if type_.operand is not None else "typeof()"
    return f"{type_.tag} {type_.name}" if type_.tag else type_.name


def _dimensions(type_: e.TypeExpr) -> str:
    return "".join(["[]" if size is None else f"[{size}]" for size in type_.dims])


# Statements


def _block(block: s.Block, indent: str) -> str:
    inner = indent + _INDENT
    lines = [inner + _statement(statement, inner) for statement in block.statements]
    if block.result is not None:
        lines.append(inner + print_expression(block.result, _ANY, inner))
    if not lines:
        return "{ }"
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def _statement(node: Statement, indent: str) -> str:
    text: str = _STATEMENTS[type(node)](node, indent)
    return text


def _expression_statement(node: s.ExprStatement, indent: str) -> str:
    text = print_expression(node.expr, _ANY, indent)
    return f"({text});" if isinstance(node.expr, e.IfExpr) else f"{text};"


def _let(node: s.Let, indent: str) -> str:
    type_ = "" if node.type is None else f" : {print_type(node.type, indent)}"
    value = "" if node.value is None else f" = {print_expression(node.value, _ANY, indent)}"
    return f"let ${node.name}{type_}{value};"


def _if(node: s.If, indent: str) -> str:
    text = f"if ({print_expression(node.cond, _ANY, indent)}) {_block(node.then, indent)}"
    if node.orelse is None:
        return text
    statements = node.orelse.statements
    if len(statements) == 1 and isinstance(statements[0], s.If):
        return f"{text} else {_if(statements[0], indent)}"
    return f"{text} else {_block(node.orelse, indent)}"


def _assign(node: s.Assign, indent: str) -> str:
    target = print_expression(node.target, _POSTFIX, indent)
    return f"{target} {node.op or ''}= {print_expression(node.value, _ANY, indent)};"


def _for_range(node: s.ForRange, indent: str) -> str:
    start = print_expression(node.start, _ANY, indent)
    end = print_expression(node.end, _ANY, indent)
    return f"for (${node.var} : {start}..{end}) {_block(node.body, indent)}"


def _for_each(node: s.ForEach, indent: str) -> str:
    iterable = print_expression(node.iterable, _ANY, indent)
    return f"for (${node.var} : {iterable}) {_block(node.body, indent)}"


def _return(node: s.Return, indent: str) -> str:
    return "return;" if node.value is None else f"return {print_expression(node.value, _ANY, indent)};"


_STATEMENTS: dict[type[Node], Callable[[Any, str], str]] = {
    s.ExprStatement: _expression_statement,
    s.Assign: _assign,
    s.Discard: lambda node, indent: f"_ = {print_expression(node.value, _ANY, indent)};",
    s.Let: _let,
    s.If: _if,
    s.While: lambda node, indent: (
        f"while ({print_expression(node.cond, 0, indent)}) {_block(node.body, indent)}"
    ),
    s.Unroll: lambda node, indent: (
        f"unroll ({print_expression(node.count, 0, indent)}) {_block(node.body, indent)}"
    ),
    s.ForRange: _for_range,
    s.ForEach: _for_each,
    s.Break: lambda node, indent: "break;",
    s.Continue: lambda node, indent: "continue;",
    s.Return: _return,
    d.Import: lambda node, indent: f"import {encode_string(node.path)};",
}


# The top level


def _field(field: d.CField, indent: str) -> str:
    type_ = field.type
    declarator = "*" * type_.pointers + (field.name or "") + _dimensions(type_)
    bits = "" if field.bits is None else f" : {field.bits}"
    base = _base_type(type_, indent)
    return f"{base} {declarator}{bits};" if declarator or bits else f"{base};"


def _struct(node: d.CStruct, indent: str) -> str:
    head = f"{node.kind} {node.name}" if node.name else node.kind
    if node.fields is None:
        return head
    inner = indent + _INDENT
    fields = "".join([f"{inner}{_field(field, inner)}\n" for field in node.fields])
    return f"{head} {{\n{fields}{indent}}}"


def _enum(node: d.CEnum, indent: str) -> str:
    inner = indent + _INDENT
    lines = ""
    for member in node.members:
        value = "" if member.value is None else f" = {print_expression(member.value, _ANY, inner)}"
        lines += f"{inner}{member.name}{value},\n"
    return f"enum {node.name or ''}".rstrip() + f" {{\n{lines}{indent}}}"


def _define(node: d.Define, indent: str) -> str:
    params = "" if node.params is None else f"({', '.join(node.params)})"
    return f"#define {node.name}{params} {node.body}".rstrip()


def _typedef(node: d.Typedef, indent: str) -> str:
    return "typedef " + _field(d.CField(node.name, node.type, None), indent).removesuffix(";")


_C_DEFINITIONS: dict[type[Node], Callable[[Any, str], str]] = {
    d.Directive: lambda node, indent: f"#{node.name} {node.text}".rstrip(),
    d.HeaderTypes: lambda node, indent: f"// the types of {node.path}",
    d.Define: _define,
    d.CStruct: _struct,
    d.CEnum: _enum,
    d.Typedef: _typedef,
}


def _c_definition(node: CDefinition, indent: str = "") -> str:
    text: str = _C_DEFINITIONS[type(node)](node, indent)
    return text


def _target(node: d.AttachPoint) -> str:
    text = node.text or ":".join(
        [node.provider] + [f'"{arg}"' if set(arg) & set(" \t,{}:") else arg for arg in node.args]
    )
    return text if node.label is None else f"{node.label}={text}"


def _probe(node: d.Probe) -> str:
    text = ",\n".join([_target(target) for target in node.attach_points])
    if node.predicate is not None:
        predicate = print_expression(node.predicate)
        # `/*` would start a comment.
        text += f"\n/{' ' if predicate[0] in '*/' else ''}{predicate}/\n"
    else:
        text += " "
    return text + _block(node.body, "")


def _subprog(node: d.Subprog) -> str:
    params = ", ".join([f"${param.name} : {print_type(param.type)}" for param in node.params])
    result = "" if node.return_type is None else f" : {print_type(node.return_type)}"
    return f"fn {node.name}({params}){result} {_block(node.body, '')}"


def _macro(node: d.Macro) -> str:
    params = ", ".join([param.sigil + param.name for param in node.params])
    return f"macro {node.name}({params}) {_block(node.body, '')}"


def _config(entries: list[d.ConfigEntry]) -> str:
    lines = [f"{_INDENT}{entry.name} = {print_expression(entry.value)};\n" for entry in entries]
    return "config = {\n" + "".join(lines) + "}"


def print_program(program: d.Program) -> str:
    """The program as text that parses to the same tree."""
    parts = [f"import {encode_string(node.path)};" for node in program.imports]
    for definition in program.c_definitions:
        text = _c_definition(definition)
        parts.append(text if text.startswith("#") else text + ";")
    if program.config:
        parts.append(_config(program.config))
    for node in program.map_decls:
        args = ", ".join([print_expression(arg) for arg in node.args])
        parts.append(f"let @{node.name} = {node.map_type}({args});")
    parts += [_macro(macro) for macro in program.macros]
    parts += [_subprog(subprog) for subprog in program.subprogs]
    parts += [_probe(probe) for probe in program.probes]
    return "\n\n".join(parts) + "\n"
