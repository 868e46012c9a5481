"""The kernel's functions that probes may be put on: which there are, where they are, and in which module.

The list is `available_filter_functions` of tracefs. Where the kernel does not let it be read, it is what both BTF and
/proc/kallsyms know as a function, without the parts of the kernel whose code must not be traced: those that run
before the kernel's state is sane (`.noinstr.text`, `.entry.text`), that handle the probes themselves (`.kprobes.text`),
and that are gone after booting (`.init.text`). Their bounds are symbols too (include/asm-generic/vmlinux.lds.h).
"""

from bisect import bisect_right

from kernscope.kernel.errors import KernelError, NotSupportedError

__all__ = ["KERNEL_ITSELF", "KernelFunctions", "running_kernel"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.btf import Btf
    from kernscope.kernel.kernel import Kernel

KERNEL_ITSELF = "vmlinux"
"""What the kernel itself is called where modules have a name."""

_TEXT_KINDS = b"tTwW"

_BOUNDS = {
    b"__noinstr_text_start": False,
    b"__entry_text_start": False,
    b"__kprobes_text_start": False,
    b"__cpuidle_text_start": False,
    b"_sinittext": False,
    b"__irqentry_text_start": True,
    b"__softirqentry_text_start": True,
    b"__sched_text_start": True,
    b"__lock_text_start": True,
    b"_stext": True,
    b"_etext": True,
    b"_einittext": True,
    b"__noinstr_text_end": None,
    b"__entry_text_end": None,
    b"__kprobes_text_end": None,
    b"__cpuidle_text_end": None,
}
"""Symbols where a part of the kernel's text begins, and whether what follows may be traced; None: where a part ends and
another may begin. The kernel does not list all of them: of several at one address some are left out.
"""

_INJECTABLE = "/sys/kernel/debug/error_injection/list"

_INVALID = "__ftrace_invalid_address__"
"""Before an offset: what ftrace lists where a function was dropped by the linker."""


class KernelFunctions:
    """Functions by name, module and address.

    Args:
        symbols: the content of /proc/kallsyms.
        traceable: the content of `available_filter_functions`, or None where it cannot be read.
        btf: the kernel's types, or None without BTF.
        injectable: the content of `error_injection/list` of debugfs, or None where it cannot be read.
    """

    def __init__(
        self,
        symbols: "Callable[[], bytes]",
        traceable: "Callable[[], str | None]",
        btf: "Callable[[], Btf | None]",
        injectable: "Callable[[], str | None]" = lambda: None,
    ) -> None:
        self._read_symbols, self._read_traceable, self._btf = symbols, traceable, btf
        self._read_injectable = injectable
        self._content: bytes | None = None
        self._by_module: dict[str, list[str]] | None = None

    @property
    def _symbols(self) -> bytes:
        if self._content is None:
            self._content = self._read_symbols()
        return self._content

    def exists(self, name: str) -> bool:
        """Whether the kernel, or a module, has a function called `name`.

        A function that BTF alone has, since the compiler inlined it, is refused when a program is attached.
        """
        btf = self._btf()
        if btf is not None:
            from kernscope.btf import Kind

            if btf.find(Kind.FUNC, name) is not None:
                return True  # quicker than reading all symbols
        return bool(self.addresses(name))

    def addresses(self, name: str, module: str = "") -> list[int]:
        """Where functions called `name` begin: several may share it. Zero where addresses are hidden from us."""
        content, wanted = self._symbols, name.encode("utf-8", "surrogateescape")
        found = []
        at = -1
        while (at := content.find(b" " + wanted, at + 1)) >= 0:
            end = content.find(b"\n", at)
            name_, _, rest = content[at + 1 : end if end >= 0 else None].partition(b"\t")
            start = content.rfind(b"\n", 0, at) + 1
            address, kind = content[start:at].split(b" ")[:2]
            belongs = rest.strip(b"[] ").decode() or KERNEL_ITSELF
            if name_ == wanted and kind in _TEXT_KINDS and module in ("", belongs):
                found.append(int(address, 16))
        return found

    def places(self, module: str = "") -> dict[str, int]:
        """Where each function begins; of several with one name the first."""
        found: dict[str, int] = {}
        for line in self._symbols.splitlines():
            where, kind, rest = line.split(b" ", 2)
            name, _, of = rest.partition(b"\t")
            if kind in _TEXT_KINDS and module in ("", of.strip(b"[] ").decode() or KERNEL_ITSELF):
                found.setdefault(name.decode("utf-8", "surrogateescape"), int(where, 16))
        return found

    def at(self, address: int) -> tuple[str, int, int] | None:
        """The function that an address is in, the offset, and how many bytes the function has at most.

        Raises:
            NotSupportedError: the kernel hides addresses from us.
        """
        start, name, following = 0, b"", 1 << 64
        for line in self._symbols.splitlines():
            where, kind, rest = line.split(b" ", 2)
            if kind in b"aA":
                continue
            here = int(where, 16)
            if here <= address:
                if here > start:
                    start, name = here, rest.partition(b"\t")[0] if kind in _TEXT_KINDS else b""
            elif here < following:
                following = here
        if not start and following == 1 << 64:
            raise NotSupportedError(
                "reading the kernel's symbols", "CAP_SYSLOG and sysctl kernel.kptr_restrict below 2"
            )
        return (name.decode("utf-8", "surrogateescape"), address - start, following - start) if name else None

    def injectable(self) -> set[str] | None:
        """Functions whose result a program may replace (`name`, white space, the kind of error); None: unknown."""
        content = self._read_injectable()
        return None if content is None else {line.split()[0] for line in content.splitlines() if line.strip()}

    def names(self, module: str = "") -> list[str]:
        """Functions that may be traced, sorted: of one module (`vmlinux` for the kernel itself) or of all."""
        if self._by_module is None:
            self._by_module = self._listed() or self._guessed()
        if module:
            return self._by_module.get(module, [])
        lists = list(self._by_module.values())
        return lists[0] if len(lists) == 1 else sorted({name for names in lists for name in names})

    def modules(self) -> list[str]:
        """`vmlinux`, and the modules that have functions which may be traced."""
        self.names()
        return list(self._by_module or ())

    def _listed(self) -> dict[str, list[str]]:
        """As ftrace says: `name`, or `name [module]`, a line each."""
        content = self._read_traceable()
        if not content:
            return {}
        own: set[str] = set()
        of_modules: dict[str, set[str]] = {}
        for line in content.splitlines():
            if " " not in line:
                own.add(line)
            else:
                name, _, module = line.partition(" ")
                of_modules.setdefault(module.strip("[] "), set()).add(name)
        return {
            KERNEL_ITSELF: sorted(name for name in own if not name.startswith(_INVALID)),
            **{module: sorted(names) for module, names in sorted(of_modules.items())},
        }

    def _guessed(self) -> dict[str, list[str]]:
        """What BTF and the symbols agree on; of modules, whose BTF is elsewhere, all symbols."""
        found: dict[bytes, int] = {}
        of_modules: dict[str, set[bytes]] = {}
        for line in self._symbols.splitlines():
            where, kind, name = line.split(b" ", 2)
            if kind not in _TEXT_KINDS:
                continue
            if name.endswith(b"]"):
                name, _, module = name.partition(b"\t")
                of_modules.setdefault(module.strip(b"[] ").decode(), set()).add(name)
            else:
                found[name] = int(where, 16)
        for made in [m for m in of_modules if m == "bpf" or m.startswith("__builtin__")]:
            del of_modules[made]  # programs and trampolines that the kernel made itself
        btf = self._btf()
        known = btf.function_names() if btf is not None else found.keys()
        traced = _TextParts(found)
        own = {name for name, address in found.items() if name in known and traced.may_be_traced(address)}
        return {
            KERNEL_ITSELF: _text(own),
            **{module: _text(names) for module, names in sorted(of_modules.items())},
        }


class _TextParts:
    """Which parts of the kernel's text may be traced."""

    def __init__(self, symbols: dict[bytes, int]) -> None:
        parts: dict[int, bool] = {}
        for name, address in symbols.items():  # in the order of the symbols
            traced = _BOUNDS.get(name, False)
            if traced is None:
                parts.setdefault(address, True)
            elif name in _BOUNDS:
                parts[address] = traced
        self._starts = sorted(parts)
        self._traced = [parts[start] for start in self._starts]

    def may_be_traced(self, address: int) -> bool:
        """Whether a function at `address` is in a part whose functions may be."""
        index = bisect_right(self._starts, address) - 1
        return index < 0 or self._traced[index]


def _text(names: "set[bytes]") -> list[str]:
    return sorted(name.decode("utf-8", "surrogateescape") for name in names)


def running_kernel(kernel: "Kernel") -> KernelFunctions:
    """The functions of the kernel that runs."""
    from kernscope.kernel.kallsyms import content

    def traceable() -> str | None:
        try:
            return kernel.tracefs.read("available_filter_functions")
        except KernelError:
            return None

    def injectable() -> str | None:
        try:
            with open(_INJECTABLE, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return None

    def btf() -> "Btf | None":
        return kernel.btf() if kernel.has_feature("btf") else None

    return KernelFunctions(content, traceable, btf, injectable)
