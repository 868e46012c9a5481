"""Whole sessions on the user-space machine: a program's text in, what it printed and counted out."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from vm_kernel import VmKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.output.text import TextSink
from kernscope.runtime import Session

__all__ = ["Run", "run"]


class Run(NamedTuple):
    """What a session showed. `messages` is what went to standard error, `text` what went to standard output."""

    text: str
    messages: str
    maps: dict[str, dict[Any, Any]]
    exit_code: int


def run(
    program: str,
    kernel: VmKernel | None = None,
    *,
    events: Sequence[tuple[str, bytes]] = (),
    parameters: Sequence[str] = (),
    print_maps: bool = False,
) -> Run:
    """Run `begin`, then `events`, then `end`.

    Args:
        events: `(kind of attachment, context)`: each runs all programs that wanted to be attached that way.
        print_maps: print the maps at the end, as a command does.
    """
    kernel = kernel or VmKernel()
    bundle = compile_source(Source("test", program), kernel, parameters=parameters, verify=True)
    output, messages = io.BytesIO(), io.BytesIO()
    sink = TextSink(output, messages, terminal=False, quiet=True, end_lines="\n" if print_maps else "")
    session = Session(bundle, kernel, sinks=[sink], print_maps=print_maps, attach=kernel.attach)  # type: ignore[arg-type]
    try:
        session.start()
        for kind, context in events:
            for where, attached in kernel.attached:
                if where.kind == kind:
                    attached.test_run(context)
    finally:
        session.close()
    maps = {name: dict(view.snapshot()) for name, view in session.maps.items()}
    return Run(output.getvalue().decode(), messages.getvalue().decode(), maps, session.exit_code)
