"""Types and functions of the modules that happen to be loaded."""

import pytest
from command_line import needs_tracing

import kernscope as api
from kernscope.btf import Kind
from kernscope.kernel import Kernel
from kernscope.kernel.btf_cache import load_module_btf
from kernscope.kernel.errors import KernelError
from kernscope.types.from_btf import KernelTypes

_kernel = Kernel()
_modules = _kernel.btf_modules() if _kernel.has_feature("btf") else []
pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not _modules, reason="no module with BTF is loaded"),
]


@pytest.fixture(scope="module")
def module() -> str:
    """The one with the most functions that can be traced."""
    functions = _kernel.functions()
    return max(_modules, key=lambda name: len(functions.names(name)))


def test_types_stand_on_those_of_the_kernel(module: str) -> None:
    btf, base = _kernel.module_btf(module), _kernel.btf()
    assert btf is not None and len(btf) > len(base) == btf.first_own
    for name in sorted(btf.function_names())[:50]:
        function = btf.find_own(Kind.FUNC, name.decode())
        assert function is not None and btf.type(function.type_id).kind == Kind.FUNC_PROTO
        for _, type_id in btf.parameters(btf.type(function.type_id)):
            assert 0 <= btf.resolve(type_id).id < len(btf)


def test_what_is_cached_is_the_same(module: str) -> None:
    first, again = (load_module_btf(module, _kernel.btf()) for _ in range(2))
    assert first is not None and again is not None
    assert bytes(first.index.buffer) == bytes(again.index.buffer)


def test_no_such_module() -> None:
    assert _kernel.module_btf("no_such_module") is None and _kernel.module_btf("../vmlinux") is None
    with pytest.raises(KernelError):
        _kernel.open_module_btf("no_such_module")


def test_a_struct_of_a_module_is_found_by_its_name(module: str) -> None:
    btf = _kernel.module_btf(module)
    assert btf is not None
    own = (btf.type(id) for id in range(btf.first_own, len(btf)))
    struct = next((t for t in own if t.kind == Kind.STRUCT and t.name and t.vlen), None)
    if struct is None or _kernel.btf().find(Kind.STRUCT, struct.name) is not None:
        pytest.skip(f"{module} has no struct of its own")
    found = KernelTypes(_kernel.btf(), _kernel).struct("struct", struct.name)
    # several modules, or files of one, may have a struct of this name
    parts = [found_btf for name in _modules if (found_btf := _kernel.module_btf(name)) is not None]
    all_types = (part.type(id) for part in parts for id in range(part.first_own, len(part)))
    sizes = {t.size for t in all_types if t.kind == Kind.STRUCT and t.name == struct.name}
    assert found is not None and found.size in sizes


@pytest.mark.skipif(not _kernel.has_feature("fentry"), reason="this kernel has no fentry")
def test_a_function_of_a_module(module: str) -> None:
    btf = _kernel.module_btf(module)
    assert btf is not None
    known = btf.function_names()
    name = next((n for n in _kernel.functions().names(module) if n.encode() in known), None)
    if name is None:
        pytest.skip(f"{module} has no function that can be traced")
    with api.run(f"fentry:{module}:{name} {{ @ = count(); }}") as session:
        session.stop()
