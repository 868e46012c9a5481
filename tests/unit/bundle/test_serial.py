"""Bundles as bytes."""

import contextlib
import zlib

import pytest
from fixed_kernel import FixedKernel

from kernscope.bundle import Bundle, serial
from kernscope.bundle.serial import BundleError, decode, encode
from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.kernel import fingerprint
from kernscope.kernel.fingerprint import AskedFacts, check_machine
from kernscope.kernel.tracefs import TracepointFormat
from kernscope.tables.bpf import MapType

PROGRAMS = [
    "begin { exit(); }",
    'begin { @a[1, "x"] = (1, 2, "three"); @b = 5; $s = "text"; printf("%s %d\\n", $s, nsecs); }',
    "tracepoint:syscalls:sys_enter_openat { @[comm, str(args.filename)] = count(); @h = hist(pid); }",
    "tracepoint:syscalls:sys_enter_* { @[probe] = count(); @l = lhist(pid, 0, 100, 10); @s = stats(tid); }",
    "tracepoint:sched:sched_process_exec { print((pid, str(args.filename))); } interval:s:1 { print(@); @++; }",
]


def compiled(text: str) -> Bundle:
    return compile_source(Source("p.bt", text), FixedKernel())


def contents(value: object, seen: frozenset[int] = frozenset()) -> object:
    """An object as nested lists of its fields, to be compared."""
    if isinstance(value, list | tuple):
        return [contents(item, seen) for item in value]
    if isinstance(value, dict):
        return [(contents(k, seen), contents(v, seen)) for k, v in value.items()]
    if type(value).__module__.startswith("kernscope") and not isinstance(value, int | str):
        if id(value) in seen:
            return type(value).__name__
        seen |= {id(value)}
        fields = serial.fields_of(type(value))
        return [type(value).__name__, *(contents(getattr(value, name), seen) for name in fields)]
    return value


@pytest.mark.parametrize("text", PROGRAMS)
def test_decoding_gives_the_same_bundle(text: str) -> None:
    bundle = compiled(text)
    data = encode(bundle)
    again = decode(data)
    assert contents(again) == contents(bundle)
    assert encode(again) == data


def test_types_are_stored_once() -> None:
    bundle = compiled('begin { printf("%s %s %s %s\\n", comm, comm, comm, comm); }')
    shared = decode(encode(bundle)).records
    types = [t for record in shared if record.action == "printf" for t in record.types]
    assert len(types) == 4 and len(set(map(id, types))) <= len(
        {id(t) for r in bundle.records for t in r.types}
    )


def test_all_plain_values() -> None:
    bundle = compiled("begin { exit(); }")
    values = {
        "none": None,
        "bools": (True, False),
        "numbers": [0, -1, 1 << 63, -(1 << 63), (1 << 64) - 1, -(1 << 200), 1.5],
        "texts": ["", "ü", "\udcff", "\0"],
        "bytes": [b"", bytes(range(256))],
        "enum": MapType.HASH,
        2: {"nested": ((), [], {})},
    }
    bundle.config = values  # type: ignore[assignment]
    assert decode(encode(bundle)).config == values


def test_what_is_no_plain_data_is_refused() -> None:
    bundle = compiled("begin { exit(); }")
    bundle.config["x"] = test_all_plain_values
    with pytest.raises(TypeError, match="not part of a bundle"):
        encode(bundle)


@pytest.mark.parametrize("cut", [0, 3, 5, 17, 18, 19, 100, -1])
def test_shortened_files(cut: int) -> None:
    data = encode(compiled(PROGRAMS[1]))
    with pytest.raises(BundleError, match="no compiled program" if 0 <= cut < 4 else "damaged"):
        decode(data[:cut])


def test_every_changed_byte_is_noticed() -> None:
    data = bytearray(encode(compiled(PROGRAMS[0])))
    for at in range(0, len(data), 7):
        data[at] ^= 0x55
        with pytest.raises(BundleError):
            decode(bytes(data))
        data[at] ^= 0x55


def _with_checksum(body: bytes) -> bytes:
    return serial._HEADER.pack(serial.MAGIC, serial.VERSION, zlib.crc32(body), len(body)) + body


def test_nonsense_with_a_right_checksum_is_refused() -> None:
    body = bytearray(encode(compiled(PROGRAMS[1]))[serial._HEADER.size :])
    for at in range(0, len(body), 3):
        kept, body[at] = body[at], (body[at] + 1) % 256
        with contextlib.suppress(BundleError):
            decode(_with_checksum(bytes(body)))
        body[at] = kept


def test_classes_with_other_fields_are_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(compiled(PROGRAMS[0]))
    monkeypatch.setattr(serial, "fields_of", lambda cls: ("other",))
    with pytest.raises(BundleError, match="another version"):
        decode(data)


def test_no_other_classes_can_be_made() -> None:
    data = encode(compiled(PROGRAMS[0]))
    body = data[serial._HEADER.size :].replace(b"kernscope.bundle", b"kernscope.kernel")
    with pytest.raises(BundleError):
        decode(_with_checksum(body))


class Machine(FixedKernel):
    """A kernel that can be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.other_fields = False
        self.missing: set[str] = set()

    def has_feature(self, name: str) -> bool:
        return name not in self.missing

    def tracepoint_format(self, category: str, name: str) -> TracepointFormat:
        found = super().tracepoint_format(category, name)
        if self.other_fields:
            found.fields[-1].offset += 8
        return found


def _compiled_for(kernel: Machine, text: str) -> dict[str, object]:
    facts = AskedFacts(kernel)  # type: ignore[arg-type]
    compile_source(Source("p", text), facts)  # type: ignore[arg-type]
    return facts.machine


def _refusal(machine: dict[str, object], kernel: Machine) -> str:
    try:
        check_machine(machine, kernel)  # type: ignore[arg-type]
    except BundleError as error:
        return str(error)
    return ""


def test_other_machines_are_refused_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Machine()
    machine = _compiled_for(kernel, "tracepoint:sched:sched_process_exec { @[args.pid] = count(); }")
    assert _refusal(machine, kernel) == ""
    kernel.possible_cpus = 4
    assert "number of possible processors was 2, here it is 4" in _refusal(machine, kernel)
    kernel.possible_cpus = 2
    assert "architecture" in _refusal(machine | {"architecture": "riscv64"}, kernel)

    kernel.release = "6.19.0"
    assert _refusal(machine, kernel) == ""  # another kernel, but the same event
    kernel.other_fields = True
    assert "tracepoint `sched:sched_process_exec` has other fields" in _refusal(machine, kernel)
    kernel.other_fields = False
    kernel.missing = set(machine["features"])  # type: ignore[call-overload]
    assert "is missing" in _refusal(machine, kernel)
    kernel.missing = set()
    assert "structures may differ" in _refusal(machine | {"types": True}, kernel)
    # the same release, built anew
    monkeypatch.setattr(fingerprint, "kernel_build_id", lambda: "other")
    kernel.release = "6.18.0"
    assert "structures may differ" in _refusal(machine | {"types": True}, kernel)


def test_what_does_not_depend_on_the_machine_runs_anywhere() -> None:
    kernel = Machine()
    machine = _compiled_for(kernel, 'begin { printf("x"); exit(); }')
    kernel.release = "5.8.0"
    kernel.page_size = 65536
    assert _refusal(machine, kernel) == ""
