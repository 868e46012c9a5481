"""`getopt()`: options that a program takes after `--` on the command line.

The compiler's settings hold what was given (`named:NAME`: the text, or True for an option without one). What the
program asks for is kept there too, so that options nobody asks for can be refused: `option:NAME` is the default,
`option-doc:NAME` the description.
"""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.diagnostics import error
from kernscope.syntax.ast import BoolLiteral, Call
from kernscope.types import BOOL, INT64, UINT64, String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_CODE = "program-option"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_WANTS = {bool: "`true` or `false`", int: "a number", str: "a text"}


class _Getopt(Function):
    name = "getopt"
    usage = ('getopt("NAME")', 'getopt("NAME", DEFAULT)', 'getopt("NAME", DEFAULT, "DESCRIPTION")')
    doc = (
        "The program's own option `--NAME=VALUE`, given after `--` on the command line, or DEFAULT. An option "
        "without a default is true where it is given (`--NAME`)."
    )
    arity = (1, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        name = cx.constant_string(call.args[0])
        default = self._default(cx, call)
        texts = (call.args[0], *call.args[2:])
        if name is None or any(cx.constant_string(text) is None for text in texts):
            wrong = next(text for text in texts if cx.constant_string(text) is None)
            cx.report(error(_CODE, "the name and the description of an option are texts", wrong.span))
            return None
        if default is None:
            cx.report(
                error(
                    _CODE,
                    f"the default of `--{name}` must be known when compiling",
                    call.args[1].span,
                    help="write a number, a text, `true` or `false`",
                )
            )
            return None
        first = cx.config.setdefault(f"option:{name}", default)
        if len(call.args) == 3:
            cx.config[f"option-doc:{name}"] = cx.constant_string(call.args[2]) or ""
        if first != default or type(first) is not type(default):
            message = f"`--{name}` has two defaults, `{_show(first)}` and `{_show(default)}`"
            cx.report(error(_CODE, message, call.span, help="use the same one everywhere"))
            return None
        value = self._value(cx, name, default)
        if value is None:
            given = cx.config[f"named:{name}"]
            message = f"`--{name}` wants {_WANTS[type(default)]}" + (
                "" if given is True else f", not `{given}`"
            )
            cx.report(error(_CODE, message, call.span, help=f"give it as `--{name}={_show(default)}`"))
            return None
        return self._type(value)

    @staticmethod
    def _default(cx: "CheckContext | LowerContext", call: Call) -> int | str | bool | None:
        if len(call.args) == 1:
            return False
        default = call.args[1]
        if isinstance(default, BoolLiteral):
            return default.value
        text = cx.constant_string(default)
        return text if text is not None else cx.constant(default)

    @staticmethod
    def _value(
        cx: "CheckContext | LowerContext", name: str, default: int | str | bool
    ) -> int | str | bool | None:
        """What was given as a value of the default's type; None where it is none."""
        given = cx.config.get(f"named:{name}")
        if given is None:
            return default
        if isinstance(default, bool):
            return given if given is True else _BOOLEANS.get(str(given))
        if given is True:
            return None
        if isinstance(default, str):
            return given
        try:
            number = int(str(given), 0)
        except ValueError:
            return None
        return number if -(1 << 63) <= number < 1 << 64 else None

    @staticmethod
    def _type(value: int | str | bool) -> Type:
        if isinstance(value, bool):
            return BOOL
        if isinstance(value, int):
            return UINT64 if value >> 63 > 0 else INT64
        return String(len(_encoded(value)) + 1)

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        value = self._result(cx, call)
        return int(value) if isinstance(value, int) else None

    def _result(self, cx: "CheckContext | LowerContext", call: Call) -> int | str | bool | None:
        name, default = cx.constant_string(call.args[0]), self._default(cx, call)
        return self._value(cx, name, default) if name is not None and default is not None else None

    def lower(self, lo: LowerContext, call: Call) -> "Value":
        return lo.constant_bytes(_encoded(str(self._result(lo, call))))  # numbers are constants


def _show(value: int | str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


FUNCTIONS = (_Getopt(),)
