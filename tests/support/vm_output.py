"""What a program prints when it runs in the user-space eBPF machine: for tests of the language without root."""

import io
from typing import Any

from vm_kernel import VmKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.output import JsonSink, TextSink
from kernscope.runtime import Session

__all__ = ["errors_of", "output_of"]


def output_of(
    text: str, *args: str, json: bool = False, settings: dict[str, Any] | None = None, **facts: Any
) -> str:
    """Compile, run and print; `facts` are those of FakeKernel. Messages about the run are left out."""
    kernel = VmKernel(**facts)
    bundle = compile_source(Source("test.bt", text), kernel, parameters=args, verify=True, settings=settings)
    out = io.BytesIO()
    sink = JsonSink(out, quiet=True) if json else TextSink(out, end_lines="", terminal=False)
    Session(bundle, kernel, sinks=[sink], attach=kernel.attach).run()  # type: ignore[arg-type]
    return out.getvalue().decode()


def errors_of(text: str, *args: str, settings: dict[str, Any] | None = None, **facts: Any) -> list[str]:
    """The codes of the errors that compiling gives."""
    try:
        compile_source(Source("test.bt", text), VmKernel(**facts), parameters=args, settings=settings)
    except CompileError as error:
        return [d.code for d in error.diagnostics if d.severity == "error"]
    return []
