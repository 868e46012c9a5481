"""Names of functions in few columns.

C++ and Rust spell out template arguments, parameters and namespaces, which makes names of hundreds of characters whose
beginnings are all alike. What tells a function is its own name and its class: it is kept, and the rest is left out
piece by piece.
"""

from kernscope.output.quantities import display_width, fit

__all__ = ["shorten_function"]

_OPEN, _CLOSE = "<([{", ">)]}"
_LONGEST = 4096
"""Characters that are looked at."""


def shorten_function(name: str, columns: int) -> str:
    """`std::vector<int, std::allocator<int> >::push_back(int const&)` in so many columns.

    First `(…)` stands for parameters, then `<…>` for what is in angle brackets; then results, parameters and
    namespaces are left out, and in the end the name is cut. Names that fit, and those of C, stay as far as they fit.
    """
    if display_width(name) <= columns or columns <= 0:
        return fit(name, columns)
    if ":" not in name and "<" not in name and "(" not in name:
        return fit(name, columns)
    parts = _parts(name[:_LONGEST])
    for form in (_with_closed_parameters, _with_closed_templates, _without_result, _without_parameters):
        parts = form(parts)
        text = "".join(parts)
        if display_width(text) <= columns:
            return text
    return _without_namespaces(parts, columns)


def _parts(name: str) -> list[str]:
    """The name cut into words, `::`, blanks, and what stands in brackets as one part each."""
    found: list[str] = []
    word, at = "", 0
    while at < len(name):
        c = name[at]
        if word.endswith("operator") and c in "<>(-=!+*/%^&|~[":
            end = _operator_end(name, at)
            word, at = word + name[at:end], end
            continue
        if word.endswith("operator") and c == " " and not name.startswith("<", at + 1):
            end = name.find("(", at)  # to a type: `operator std::string`, and `operator new`
            end = end if end >= 0 else len(name)
            word, at = word + name[at:end], end
            continue
        if c in "<([{":
            end = _group_end(name, at)
            group = name[at:end]
            if group == "(anonymous namespace)" or (c in "[{" or (c == "<" and not word and not found)):
                word += group  # it stands in the place of a name
            else:
                found += [word, group] if word else [group]
                word = ""
            at = end
            continue
        if name.startswith("::", at) or c == " ":
            separator = "::" if c == ":" else " "
            found += [word, separator] if word else [separator]
            word, at = "", at + len(separator)
            continue
        word, at = word + c, at + 1
    return [*found, word] if word else found


def _operator_end(name: str, at: int) -> int:
    """Where the sign of an operator ends: `operator()`, `operator<<`, `operator->`."""
    if name.startswith(("()", "[]"), at):
        return at + 2
    end = at
    while end < len(name) and name[end] in "<>-=!+*/%^&|~" and end - at < 3:
        end += 1
    return max(end, at + 1)


def _group_end(name: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`; the end where none does."""
    depth, i = 0, at
    while i < len(name):
        c = name[i]
        if c in _OPEN:
            depth += 1
        elif c in _CLOSE and not (c == ">" and name[i - 1] == "-"):
            depth -= 1
            if depth <= 0:
                return i + 1
        i += 1
    return len(name)


def _last_round(parts: list[str]) -> int:
    """Where the list of parameters is; -1 without."""
    return max((i for i, part in enumerate(parts) if part.startswith("(") and i), default=-1)


def _with_closed_parameters(parts: list[str]) -> list[str]:
    at = _last_round(parts)
    return parts if at < 0 or parts[at] == "()" else [*parts[:at], "(…)", *parts[at + 1 :]]


def _with_closed_templates(parts: list[str]) -> list[str]:
    return ["<…>" if part.startswith("<") and len(part) > 3 else part for part in parts]


def _without_result(parts: list[str]) -> list[str]:
    """Without what stands before the name: a result's type, and what stands behind the parameters, such as `const`."""
    at = _last_round(parts)
    end = at + 1 if at >= 0 else len(parts)
    start = 0
    for i in range(at if at >= 0 else len(parts)):
        if parts[i] == " " and not "".join(parts[i + 1 : i + 2]).startswith("<"):  # `operator<< <char>`
            start = i + 1
    return parts[start:end] or parts


def _without_parameters(parts: list[str]) -> list[str]:
    at = _last_round(parts)
    return parts if at < 0 else parts[:at]


def _without_namespaces(parts: list[str], columns: int) -> str:
    """As many of the last names as there is room for, with `…` for those before."""
    room, start = columns - 3, len(parts)
    for i in range(len(parts) - 1, -1, -1):
        room -= display_width(parts[i])
        if room < 0 and start < len(parts):
            break
        if i and parts[i - 1] == "::":
            start = i
            if room < 0:
                break
    text = "".join(parts[start:] if start < len(parts) else parts)
    whole = f"…::{text}"
    return whole if display_width(whole) <= columns else fit(text, columns)
