"""Loading and test-running compiled modules on the running kernel, with one array map called `out`."""

from struct import pack, pack_into, unpack_from

from kernscope.asm.encode import Assembled, assemble
from kernscope.kernel.errors import VerifierError
from kernscope.kernel.map import map_create
from kernscope.kernel.program import btf_load, prog_load
from kernscope.tables.bpf import MapType, ProgramType

KEY = bytes(4)


def run_kernel(compiled: list, ctx: bytes, out: bytes) -> tuple[int, bytes] | None:
    """The result of one run as a raw tracepoint program: low half of r0, and the map's value.

    None if the verifier gives up at its limit of a million instructions looked at: random loops may need more.
    """
    try:
        return _run(compiled, ctx, out)
    except VerifierError as error:
        if "Processed 1000001 insn" in str(error):
            return None
        raise


def _run(compiled: list, ctx: bytes, out: bytes) -> tuple[int, bytes]:
    program = assemble(compiled)
    with map_create(MapType.ARRAY, 4, len(out), 1, 0, "out") as table:
        table.update(KEY, out)
        code = bytearray(program.code)
        for place in program.relocations:
            if place.kind in ("map_fd", "map_value"):
                pack_into("<i", code, 8 * place.slot + 4, table.fd)
        types, places = function_types(program)
        with (
            btf_load(types) as btf,
            prog_load(
                ProgramType.RAW_TRACEPOINT, bytes(code), name="fuzz", btf_fd=btf.fd, func_info=places
            ) as loaded,
        ):
            result = loaded.test_run(ctx)
        return result.retval & 0xFFFF_FFFF, table.lookup(KEY) or b""


def function_types(program: Assembled) -> tuple[bytes, bytes]:
    """BTF with a static function of five longs for each subprogram, and where each one starts."""
    strings = bytearray(b"\0long\0ctx\0")
    long_type, pointer = 1, 2
    types = pack("<IIII", 1, 1 << 24, 8, 1 << 24 | 64) + pack("<III", 0, 2 << 24, long_type)
    next_type = 3
    places = b""
    for n, (name, slot) in enumerate(program.functions):
        name_at = len(strings)
        strings += name.encode() + b"\0"
        if n == 0:
            types += pack("<III", 0, 13 << 24 | 1, long_type) + pack("<II", 6, pointer)
        else:
            types += pack("<III", 0, 13 << 24 | 5, long_type) + pack("<II", 1, long_type) * 5
        types += pack("<III", name_at, 12 << 24, next_type)
        places += pack("<II", slot, next_type + 1)
        next_type += 2
    header = pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    assert unpack_from("<H", header)[0] == 0xEB9F
    return header + types + bytes(strings), places
