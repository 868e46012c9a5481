"""Addresses and stacks as text, in the forms of bpftrace.

A stack travels as the words (hash, shape) and, of a process, its pid (see `kernscope.catalog.functions.stacks`);
`SymbolFacts.stack` gives the frames that the program has kept under the hash.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.output.symbolic import Resolver, SymbolFacts

__all__ = ["KERNEL_STACK_WORDS", "STACK_KINDS", "STACK_RESOLVERS", "ksym", "stack_key", "usym"]

MOST_KNOWN = 65_536
"""Texts of stacks that are kept at most: programs may run for weeks."""

_MACHINERY = ("bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", "bpf_trampoline_")
"""Functions of the kernel that lie between a tracepoint and its program."""


def _number(address: int) -> str:
    return f"{address:#x}" if address else "0"


def ksym(facts: SymbolFacts) -> Resolver:
    """The function that a kernel address is in."""

    def resolve(address: int) -> str:
        found = facts.kernel_symbol(address)
        return found[0] if found is not None else _number(address)

    return resolve


def usym(facts: SymbolFacts) -> Resolver:
    """The function that an address of a process is in."""

    def resolve(address: int, pid: int) -> str:
        found = facts.user_symbol(pid, address)
        return found.name if found is not None and found.name else _number(address)

    return resolve


def _kernel_plain(facts: SymbolFacts, address: int, pid: int) -> str:
    found = facts.kernel_symbol(address)
    return f"        {found[0]}+{found[1]}" if found is not None else f"        {address:#x}"


def _kernel_perf(facts: SymbolFacts, address: int, pid: int) -> str:
    found = facts.kernel_symbol(address)
    return f"\t{address:x} {found[0]}+{found[1]}" if found is not None else f"\t{address:x} {address:#x}"


def _raw(facts: SymbolFacts, address: int, pid: int) -> str:
    return f"{address:x}"


def _user_plain(facts: SymbolFacts, address: int, pid: int) -> str:
    found = facts.user_symbol(pid, address)
    if found is None or not found.name:
        return f"        {address:#x}"
    return f"        {found.name}+{found.offset}"


def _user_perf(facts: SymbolFacts, address: int, pid: int) -> str:
    found = facts.user_symbol(pid, address)
    if found is None:
        return f"\t{address:x} {address:#x} ([unknown])"
    name = f"{found.name}+{found.offset}" if found.name else f"{address:#x}"
    return f"\t{address:x} {name} ({found.path or '[unknown]'})"


def _user_build_id(facts: SymbolFacts, address: int, pid: int) -> str:
    found = facts.user_symbol(pid, address)
    build_id = "" if found is None else facts.build_id(pid, address)
    return f"{build_id} {found.file_address:#x}" if found is not None and build_id else f"{address:x}"


def _with_words(
    plain: Callable[[SymbolFacts, int, int], str], indent: str
) -> Callable[[SymbolFacts, int, int], str]:
    """The same for words of a stack that are no addresses, too: frames of CPython, and why it is incomplete."""

    def write(facts: SymbolFacts, word: int, pid: int) -> str:
        if word < _NO_ADDRESS:
            return plain(facts, word, pid)
        from kernscope.output.words import incomplete_text, python_frame

        frame = python_frame(word)
        if frame is None:
            return indent + (incomplete_text(word) or f"{word:#x}")
        code = facts.python_code(pid, frame[0])
        if code is None:
            return f"{indent}[unknown Python function]"
        return f"{indent}{code.name} ({code.file}:{code.line(frame[1])})"

    return write


_NO_ADDRESS = 1 << 62


def _stack(write: Callable[[SymbolFacts, int, int], str]) -> Callable[[SymbolFacts], Resolver]:
    def build(facts: SymbolFacts) -> Resolver:
        known: dict[tuple[int, int, int], str] = {}

        def resolve(hash: int, shape: int, pid: int = 0) -> str:
            text = known.get((hash, shape, pid))
            if text is None:
                kept, limit, depth = shape >> 48, shape >> 32 & 0xFFFF, shape & 0xFFFFFFFF
                frames = facts.stack(kept, hash)[:depth]
                if kept > limit:
                    frames = _without_machinery(facts, frames)[:limit]
                if frames and frames[-1] >> 63 and pid:
                    frames = _with_python(facts, frames, pid)
                text = "\n" + "".join([write(facts, frame, pid) + "\n" for frame in frames])
                if len(known) >= MOST_KNOWN:
                    known.clear()
                known[hash, shape, pid] = text
            return text

        return resolve

    return build


def _with_python(facts: SymbolFacts, frames: tuple[int, ...], pid: int) -> tuple[int, ...]:
    from kernscope.output.words import in_place

    return tuple(in_place(frames, lambda address: facts.python_loop(pid, address)))


def _without_machinery(facts: SymbolFacts, frames: tuple[int, ...]) -> tuple[int, ...]:
    """The stack from the function that the event happened in."""
    for start, frame in enumerate(frames):
        found = facts.kernel_symbol(frame)
        if found is None or not found[0].startswith(_MACHINERY):
            return frames[start:]
    return ()


STACK_RESOLVERS: dict[str, Callable[[SymbolFacts], Resolver]] = {
    "kstack": _stack(_kernel_plain),
    "kstack_perf": _stack(_kernel_perf),
    "kstack_raw": _stack(_raw),
    "ustack": _stack(_with_words(_user_plain, " " * 8)),
    "ustack_perf": _stack(_with_words(_user_perf, "\t")),
    "ustack_raw": _stack(_raw),
    "ustack_build_id": _stack(_user_build_id),
}

KERNEL_STACK_WORDS = 2
STACK_KINDS = frozenset(STACK_RESOLVERS)
"""Symbolic kinds that are stacks."""


def stack_key(text: str) -> str:
    """A stack as it stands in a JSON key: without indentation."""
    return "\n".join([line.lstrip() for line in text.split("\n")])
