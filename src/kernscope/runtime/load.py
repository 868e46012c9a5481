"""From a bundle's plain data to kernel objects: maps created and filled, programs loaded."""

from struct import pack, pack_into

from kernscope.bundle import Bundle, MapSpec, ProgramSpec
from kernscope.kernel.errors import NotSupportedError, VerifierError
from kernscope.runtime.errors import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.map import Map
    from kernscope.kernel.object import KernelObject
    from kernscope.kernel.program import Program

__all__ = ["create_maps", "load_program", "patched", "source_span"]

_PSEUDO = {"map_fd": 1, "map_value": 2}
"""What the source register of a 64-bit immediate load says about it (BPF_PSEUDO_* in uapi/linux/bpf.h)."""


def create_maps(bundle: Bundle, kernel: "KernelAccess", maps: "dict[str, Map]") -> None:
    """Create all maps into `maps`, which on an error holds those that must be closed."""
    for spec in bundle.maps:
        maps[spec.name] = kernel.map_create(
            spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags, spec.name
        )
        _fill(spec, maps[spec.name])


def _fill(spec: MapSpec, map: "Map") -> None:
    if spec.initial:
        map.update(pack("=I", 0), spec.initial.ljust(spec.value_size, b"\0"))


def patched(spec: ProgramSpec, maps: "dict[str, Map]") -> bytes:
    """The program's code with map file descriptors in it."""
    code = bytearray(spec.code)
    for relocation in spec.relocations:
        if relocation.kind == "kfunc":
            continue
        at = 8 * relocation.slot
        code[at + 1] = (code[at + 1] & 0x0F) | _PSEUDO[relocation.kind] << 4
        pack_into("=i", code, at + 4, maps[relocation.name].fd)
        pack_into("=i", code, at + 12, relocation.addend)
    return bytes(code)


def load_program(
    spec: ProgramSpec,
    kernel: "KernelAccess",
    maps: "dict[str, Map]",
    license: str = "GPL",
    *,
    function: str = "",
) -> "Program":
    """Load one program, for a kernel `function` (`vmlinux:vfs_read`) where there is one for each.

    Raises:
        RefusedError: the verifier refused it.
        KernelError, NotSupportedError: it could not be loaded at all.
    """
    btf_id, module, types, functions = 0, None, None, b""
    if len(spec.functions) > 1:  # the kernel checks callbacks by their types
        from kernscope.btf.encode import func_info, functions_btf  # few programs have any

        blob, ids = functions_btf([(name, parameters) for name, _, parameters in spec.functions])
        types = kernel.btf_load(blob)
        functions = func_info([slot for _, slot, _ in spec.functions], ids)
    if spec.attach_btf is not None:
        btf_id = _btf_id(kernel, spec.attach_btf)
    if function:
        btf_id, module = _function(kernel, function)
    try:
        return kernel.prog_load(
            spec.type,
            patched(spec, maps),
            name=spec.name,
            license=license,
            expected_attach_type=spec.expected_attach_type,
            attach_btf_id=btf_id,
            attach_btf_obj_fd=module.fd if module is not None else 0,
            btf_fd=types.fd if types is not None else 0,
            func_info=functions,
        )
    except VerifierError as error:
        raise RefusedError(error, source_span(spec, error.instruction)) from None
    finally:
        for object in (types, module):
            if object is not None:
                object.close()


def _function(kernel: "KernelAccess", function: str) -> "tuple[int, KernelObject | None]":
    """The BTF id of a function, and the BTF object that it is in: that of its module, or None for the kernel's own."""
    from kernscope.btf import Kind
    from kernscope.kernel.functions import KERNEL_ITSELF

    module, _, name = function.partition(":")
    own = module == KERNEL_ITSELF
    btf = kernel.btf() if own else kernel.module_btf(module)
    found = btf.find_own(Kind.FUNC, name) if btf is not None else None
    if found is None:
        raise NotSupportedError(name, f"a kernel whose BTF describes it, in `{module}`")
    return found.id, None if own else kernel.open_module_btf(module)


def _btf_id(kernel: "KernelAccess", name: str) -> int:
    """The id of the typedef `btf_trace_…` of a raw tracepoint, or of a function."""
    from kernscope.btf import Kind

    kind = Kind.TYPEDEF if name.startswith("btf_trace_") else Kind.FUNC
    found = kernel.btf().find(kind, name)
    if found is None:
        raise NotSupportedError(name, "a kernel whose BTF describes it")
    return found.id


def source_span(spec: ProgramSpec, slot: int) -> tuple[int, int] | None:
    """Where in the source the instruction at `slot` comes from."""
    found = None
    for start_slot, start, end in spec.lines:
        if start_slot > slot:
            break
        found = (start, end)
    return found
