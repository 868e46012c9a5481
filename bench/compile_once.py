"""Compile one program twice in this new process; print both times and the number of instructions as JSON."""

import json
import sys
import time
from pathlib import Path


def main() -> int:
    """``compile_once.py FILE``."""
    source = Path(sys.argv[1]).read_text()
    start = time.perf_counter()
    import kernscope

    kernscope.compile(source)
    middle = time.perf_counter()
    bundle = kernscope.compile(source)
    end = time.perf_counter()
    result = {
        "first_ms": (middle - start) * 1e3,
        "again_ms": (end - middle) * 1e3,
        "instructions": sum(len(program.code) for program in bundle.programs) // 8,
    }
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
