"""Programs that are loaded once for each function, on a kernel that refuses some."""

from typing import Any

import pytest
from checking import bundle_of
from made_btf import made_kernel, made_module
from vm_kernel import VmKernel

from kernscope.btf import Kind
from kernscope.kernel.errors import AttachError, VerifierError
from kernscope.runtime.errors import RefusedError
from kernscope.runtime.live import Live

BOTH = "fentry:vmlinux:vfs_* { @ = 1; }"


class _Object:
    def __init__(self, fd: int) -> None:
        self.fd, self.closed = fd, False

    def close(self) -> None:
        self.closed = True


class Choosy(VmKernel):
    """Refuses programs for some functions: `refused` has what the verifier says, by BTF id."""

    def __init__(self, refused: dict[int, str] | None = None, *, fail_attach: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.refused = refused or {}
        self.fail_attach = fail_attach
        self.loads: list[tuple[int, int]] = []
        self.opened: list[_Object] = []

    def prog_load(self, type: int, code: bytes, *, name: str = "", **options: Any) -> Any:
        wanted = options.get("attach_btf_id", 0)
        self.loads.append((wanted, options.get("attach_btf_obj_fd", 0)))
        if wanted in self.refused:
            raise VerifierError(22, name, self.refused[wanted])
        return super().prog_load(type, code, name=name)

    def open_module_btf(self, module: str) -> _Object:
        self.opened.append(_Object(77))
        return self.opened[-1]

    def attach_function(self, program: Any, target: str, *, attach_type: int = 0, cookie: int = 0) -> Any:
        if target in self.fail_attach:
            raise AttachError(22, "BPF_RAW_TRACEPOINT_OPEN", target)
        self.attached.append(((target, cookie), program))
        link = _Object(5)
        link.is_read, link.replaced_file = False, ""  # type: ignore[attr-defined]
        return link


def live(text: str, kernel: Choosy) -> Live:
    made = Live(bundle_of(text), kernel, None)  # type: ignore[arg-type]
    made.create_maps()
    made.load()
    return made


def function(name: str) -> int:
    found = made_kernel().find(Kind.FUNC, name)
    assert found is not None
    return found.id


def test_one_load_and_one_link_for_each() -> None:
    kernel = Choosy()
    made = live(BOTH, kernel)
    made.attach()
    assert kernel.loads == [(function("vfs_read"), 0), (function("vfs_write"), 0)]
    assert [where for where, _ in kernel.attached] == [
        ("fentry:vmlinux:vfs_read", 0),
        ("fentry:vmlinux:vfs_write", 1),
    ]
    assert len({id(program) for _, program in kernel.attached}) == 2


def test_a_module_s_function_comes_with_the_module_s_types() -> None:
    kernel = Choosy()
    live("fentry:nf_hook { @ = 1; }", kernel)
    own = made_module().find_own(Kind.FUNC, "nf_hook")
    assert own is not None and kernel.loads == [(own.id, 77)]
    assert [one.closed for one in kernel.opened] == [True]


def test_functions_of_a_pattern_may_be_refused() -> None:
    kernel = Choosy({function("vfs_read"): "this function is not for programs"})
    made = live(BOTH, kernel)
    made.attach()
    assert [where for where, _ in kernel.attached] == [("fentry:vmlinux:vfs_write", 1)]
    assert [problem.target for problem in made.left_out] == ["fentry:vmlinux:vfs_read"]

    kernel = Choosy(fail_attach=("fentry:vmlinux:vfs_write",))
    made = live(BOTH, kernel)
    made.attach()
    assert [problem.target for problem in made.left_out] == ["fentry:vmlinux:vfs_write"]


def test_not_all_of_them() -> None:
    everything = {function(name): "no" for name in ("vfs_read", "vfs_write")}
    with pytest.raises(AttachError):
        live(BOTH, Choosy(everything))
    kernel = Choosy(fail_attach=("fentry:vmlinux:vfs_read", "fentry:vmlinux:vfs_write"))
    with pytest.raises(AttachError):
        live(BOTH, kernel).attach()


def test_a_function_that_was_named_must_be_there() -> None:
    with pytest.raises(AttachError, match="vfs_read") as caught:
        live("fentry:vfs_read { @ = 1; }", Choosy({function("vfs_read"): "not for programs"}))
    assert caught.value.hint == "the kernel says: not for programs"
    kernel = Choosy(fail_attach=("fentry:vmlinux:vfs_read",))
    with pytest.raises(AttachError):
        live("fentry:vfs_read, fentry:vfs_write { @ = 1; }", kernel).attach()


def test_a_program_that_the_verifier_refuses_is_our_defect() -> None:
    log = "0: (79) r1 = *(u64 *)(r1 +0)\nR1 is wrong\nprocessed 1 insns"
    with pytest.raises(RefusedError):
        live(BOTH, Choosy({function("vfs_read"): log}))
