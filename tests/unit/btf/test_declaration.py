"""Kernel types as C text."""

from made_btf import BtfMaker

from kernscope.btf import Btf, Kind
from kernscope.btf.listing import matching_types, type_text


def made() -> Btf:
    m = BtfMaker()
    integer = m.integer("int", 4, signed=True)
    character = m.integer("char", 1)
    const_char = m.modifier(Kind.CONST, character)
    text = m.pointer(const_char)
    flags = m.typedef("flags_t", integer)
    tag = m.struct("tag", 8, [("x", integer, 0), ("y", integer, 32)])
    const_pointer = m.modifier(Kind.CONST, m.pointer(tag))
    inner = m.struct("", 8, [("a", integer, 0, 3), ("b", integer, 3, 29), ("c", flags, 32)])
    either = m.struct("", 8, [("", inner, 0), ("whole", integer, 0)], kind=Kind.UNION)
    rows = m.array(m.array(character, 16), 4)
    m.struct(
        "thing",
        100,
        [
            ("name", text, 0),
            ("next", m.pointer(tag), 64),
            ("fixed", const_pointer, 128),
            ("", either, 192),
            ("named", either, 256),
            ("rows", rows, 320),
            ("nothing", m.pointer(0), 832),
        ],
    )
    prototype = m.function([("t", m.pointer(tag)), ("n", integer)], integer)
    m.struct("thing_two", 16, [("call", m.pointer(prototype), 0), ("done", m.pointer(m.function([])), 64)])
    m.enum("color", {"RED": 1, "BLUE": -7})
    return m.btf()


def test_a_struct() -> None:
    assert type_text(made(), "struct thing") == (
        "struct thing {\n"
        "\tconst char *name;\n"
        "\tstruct tag *next;\n"
        "\tstruct tag *const fixed;\n"
        "\tunion {\n"
        "\t\tstruct {\n"
        "\t\t\tint a: 3;\n"
        "\t\t\tint b: 29;\n"
        "\t\t\tflags_t c;\n"
        "\t\t};\n"
        "\t\tint whole;\n"
        "\t};\n"
        "\tunion {\n"
        "\t\tstruct {\n"
        "\t\t\tint a: 3;\n"
        "\t\t\tint b: 29;\n"
        "\t\t\tflags_t c;\n"
        "\t\t};\n"
        "\t\tint whole;\n"
        "\t} named;\n"
        "\tchar rows[4][16];\n"
        "\tvoid *nothing;\n"
        "};\n"
    )


def test_functions_and_enums() -> None:
    assert type_text(made(), "struct thing_two") == (
        "struct thing_two {\n\tint (*call)(struct tag *, int);\n\tvoid (*done)(void);\n};\n"
    )
    assert type_text(made(), "enum color") == "enum color {\n\tRED = 1,\n\tBLUE = -7,\n};\n"


def test_names() -> None:
    btf = made()
    assert matching_types(btf, "struct t*") == ["struct tag", "struct thing", "struct thing_two"]
    assert matching_types(btf, "struct thing,struct nope, struct tag") == ["struct tag", "struct thing"]
    assert matching_types(btf, "enum *") == ["enum color"] and matching_types(btf, "tracepoint:x") == []
    assert type_text(btf, "struct nope") == "" and type_text(btf, "nope") == ""
