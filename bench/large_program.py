"""A C++ program of 100 MB with debug information, made in seconds: one file of templates, copied under other names."""

import shutil
import subprocess
from pathlib import Path

__all__ = ["large_program"]

SOURCE = Path(__file__).parent / "c" / "templates.cc"
LEAST_BYTES = 100_000_000
COPY_BYTES = 2_250_000
"""What one copy adds to the program, about."""
OPTIONS = ["-std=c++17", "-O1", "-g"]


def large_program(folder: Path) -> Path | None:
    """Its path; None where there is no compiler for it."""
    if not (shutil.which("g++") and shutil.which("objcopy")):
        return None
    copies = LEAST_BYTES // COPY_BYTES + 1
    declared = "".join(f"long part_{i}(int);\n" for i in range(copies))
    called = " + ".join(f"part_{i}(count)" for i in range(copies))
    main = folder / "main.cc"
    main.write_text(f"{declared}int main(int count, char **) {{ return ({called}) != 0; }}\n")
    first = folder / "part_0.o"
    try:
        subprocess.run(
            ["g++", *OPTIONS, "-DPART=0", "-DCOUNT=8", "-c", "-o", first, SOURCE], check=True, timeout=600
        )
        for i in range(1, copies):
            new = f"part_{i}"
            rename = f"--redefine-sym=_Z6part_0i=_Z{len(new)}{new}i"
            subprocess.run(["objcopy", rename, first, folder / f"{new}.o"], check=True)
        objects = [folder / f"part_{i}.o" for i in range(copies)]
        subprocess.run(["g++", "-g", "-o", folder / "large", main, *objects], check=True, timeout=600)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    for path in objects:
        path.unlink()
    return folder / "large"
