"""Random programs full of structs, enums, arrays, pointers, records and casts: most are wrong, some are not.

The names are those of `made_btf`, and of a struct of the program's own.
"""

import random

__all__ = ["PREAMBLE", "program"]

PREAMBLE = "struct h { int bits : 5; int arr[3]; struct inner in; struct h *next; };\n"

_LEAVES = (
    *("curtask", "pid", "comm", "1", "-5", "300", '"ab"', "nsecs", "true", "GREEN", "BLUE", "$a", "$b", "$c"),
    *("@m", "@k[1]", "@k[curtask]", "args.filename", "args.dfd", "(enum color)2", "(uint8[4])(uint32)5"),
    *(
        "curtask->inner",
        "curtask->comm",
        "curtask->address",
        "curtask->deep",
        "curtask->text",
        "curtask->low",
    ),
    *("curtask->second", "curtask->third", "sizeof(struct inner)", "offsetof(struct inner, table)"),
    *(
        "(struct inner *)0",
        "(struct h *)5",
        "((struct h *)5)->bits",
        "((struct h *)5)->arr",
        "*((struct h *)5)",
    ),
)
_FIELDS = (
    *("inner", "uid", "val", "table", "comm", "real_parent", "pid", "deep", "small", "bits", "arr", "nope"),
    *("high", "first", "text", "address", "a", "b", "x"),
)
_TYPES = (
    *(
        "uint64",
        "int8",
        "struct inner *",
        "struct task_struct *",
        "enum color",
        "uint8[8]",
        "int32[2]",
        "bool",
    ),
    *("string[5]", "struct h *", "int *", "void *"),
)
_DECLARED = (
    "struct inner",
    "uint8[4]",
    "struct task_struct *",
    "enum color",
    "string[4]",
    "bool",
    "struct h",
)
_OPERATORS = ("+", "-", "*", "==", "!=", "<", "&&", "|", "/")


def _expression(rng: random.Random, depth: int) -> str:
    if depth <= 0 or rng.random() < 0.2:
        return rng.choice(_LEAVES)

    def part(less: int = 1) -> str:
        return _expression(rng, depth - less)

    forms = (
        (20, lambda: f"{part()}{rng.choice(['->', '.'])}{rng.choice(_FIELDS)}"),
        (10, lambda: f"{part()}[{part(2)}]"),
        (10, lambda: f"({part()} {rng.choice(_OPERATORS)} {part()})"),
        (5, lambda: f"*{part()}"),
        (3, lambda: f"&{part()}"),
        (8, lambda: f"({rng.choice(_TYPES)}){part()}"),
        (6, lambda: f"({part()}, {part()})"),
        (5, lambda: f"(a = {part()}, b = {part()})"),
        (3, lambda: f"({part()} ? {part()} : {part()})"),
        (3, lambda: f"sizeof({part()})"),
        (2, lambda: f"typeinfo({part()})"),
        (2, lambda: f"str({part()})"),
        (2, lambda: f"container_of({part()}, inner, uid)"),
    )
    return rng.choices([form for _, form in forms], [weight for weight, _ in forms])[0]()


def _statement(rng: random.Random) -> str:
    def value(depth: int = 3) -> str:
        return _expression(rng, depth)

    forms = (
        (25, lambda: f"print({value()});"),
        (20, lambda: f"${rng.choice('abc')} = {value()};"),
        (15, lambda: f"@{rng.choice(['m', 'k[1]', 'k[curtask]', 's'])} = {value()};"),
        (10, lambda: f"@q[{value(2)}] = count();"),
        (10, lambda: f'printf("%s %d", {value(2)}, {value(2)});'),
        (5, lambda: f"for ($v : @k) {{ print($v.1.{rng.choice(_FIELDS)}); }}"),
        (5, lambda: f"if ({value(2)}) {{ {_statement(rng)} }}"),
        (5, lambda: f"${rng.choice('abc')}++;"),
        (5, lambda: f"let ${rng.choice('xyz')} : {rng.choice(_DECLARED)};"),
    )
    return rng.choices([form for _, form in forms], [weight for weight, _ in forms])[0]()


def program(seed: int) -> str:
    """The program of this seed."""
    rng = random.Random(seed)
    body = " ".join(_statement(rng) for _ in range(rng.randint(1, 4)))
    return f"{PREAMBLE}tracepoint:syscalls:sys_enter_openat {{ {body} }}"
