"""Maps of the running kernel: round trips, batches, mapped memory, and what is left after failures."""

import errno
import os
from struct import pack, unpack

import pytest
from bpf_snippets import RETURN_0, count_runs, insn, needs_bpf

from kernscope.kernel import Kernel, KernelError, VerifierError, facts
from kernscope.kernel.bpf import Map, enable_stats, map_create, prog_load
from kernscope.tables.bpf import AttachType, MapFlag, MapType, ProgramType, UpdateFlag

pytestmark = needs_bpf


def key(number: int) -> bytes:
    return pack("=I", number)


def test_hash_round_trip() -> None:
    with map_create(MapType.HASH, 4, 8, 3, name="a name: too long, and odd") as map:
        assert map.lookup(key(1)) is None and map.next_key(None) is None and map.items() == []
        map.update(key(1), b"12345678")
        map.update(key(2), b"abcdefgh")
        assert map.lookup(key(1)) == b"12345678"
        assert sorted(map.items()) == [(key(1), b"12345678"), (key(2), b"abcdefgh")]
        assert map.delete(key(1)) and not map.delete(key(1))
        with pytest.raises(KernelError) as caught:
            map.update(key(2), b"x" * 8, UpdateFlag.NOEXIST)
        assert caught.value.errno == errno.EEXIST
        for number in (3, 4):
            map.update(key(number), bytes(8))
        with pytest.raises(KernelError) as caught:
            map.update(key(5), bytes(8))
        assert caught.value.errno == errno.E2BIG and "full" in caught.value.hint
        with pytest.raises(ValueError):
            map.lookup(b"12345")
        with pytest.raises(ValueError):
            map.update(key(1), b"1")
        map.zero()
        assert sorted(map.items()) == [(key(n), bytes(8)) for n in (2, 3, 4)]
        map.clear()
        assert map.items() == []
    assert map.closed


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH, MapType.ARRAY])
def test_whole_contents(kind: int, batched: bool) -> None:
    count = 3000
    with map_create(kind, 4, 16, count * 2 if kind == MapType.LRU_HASH else count) as map:
        map._batch_works = batched
        expected = {key(n): pack("=QQ", n, n * n) for n in range(count)}
        map.update_items(expected.items())
        found = map.items()
        assert len(found) == len(dict(found))
        assert {k: v for k, v in found if k in expected} == expected
        if kind == MapType.HASH:
            assert dict(map.take_items()) == expected and map.items() == []


def test_batches_larger_than_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.kernel.map._BATCH_BYTES", 1)
    with map_create(MapType.HASH, 4, 8, 5000) as map:
        expected = {key(n): pack("=Q", n) for n in range(5000)}
        map.update_items(expected.items())
        assert dict(map.items()) == expected


def test_per_cpu_values_have_one_copy_per_possible_cpu() -> None:
    with map_create(MapType.PERCPU_ARRAY, 4, 12, 2) as map:
        assert map.value_bytes == 16 * facts.possible_cpus()
        value = b"".join(pack("=IQI", cpu, cpu, 0) for cpu in range(facts.possible_cpus()))
        map.update(key(1), value)
        assert [unpack("=IQ4x", dict(map.items())[key(1)][16 * c : 16 * c + 16]) for c in range(2)] == [
            (c, c) for c in range(2)
        ]
        map.clear()
        assert map.lookup(key(1)) == bytes(map.value_bytes)


def test_mapped_array_is_the_map() -> None:
    with map_create(MapType.ARRAY, 4, 8, 600, MapFlag.MMAPABLE) as map:
        view = map.mmap()
        view[8:16] = b"mapped!!"
        assert map.lookup(key(1)) == b"mapped!!"
        map.update(key(599), b"the last")
        assert view[599 * 8 : 600 * 8] == b"the last"
    with map_create(MapType.ARRAY, 4, 8, 1) as plain, pytest.raises(KernelError):
        plain.mmap()


def test_frozen_maps_take_no_writes() -> None:
    with map_create(MapType.ARRAY, 4, 8, 1, MapFlag.RDONLY_PROG) as map:
        map.freeze()
        with pytest.raises(KernelError) as caught:
            map.update(key(0), bytes(8))
        assert caught.value.errno == errno.EPERM


def test_refused_maps_say_why() -> None:
    with pytest.raises(KernelError) as caught:
        map_create(MapType.HASH, 0, 8, 1, name="counts")
    assert caught.value.command == "BPF_MAP_CREATE" and caught.value.object == "counts"
    assert caught.value.errno == errno.EINVAL and caught.value.hint


def test_verifier_errors() -> None:
    with pytest.raises(VerifierError) as caught:
        prog_load(ProgramType.RAW_TRACEPOINT, insn(0xB7, 1) + insn(0x79, 0, 1) + insn(0x95), name="reader")
    error = caught.value
    assert error.program == "reader" and error.instruction == 1
    assert "invalid mem access" in error.reason and "processed" in error.log


def test_long_verifier_logs_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.kernel.program._LOG_BYTES", 4096)
    code = b"".join(insn(0xB7, 1 + n % 5, imm=n) for n in range(2000)) + insn(0x79, 0, 1) + insn(0x95)
    with pytest.raises(VerifierError) as caught:
        prog_load(ProgramType.RAW_TRACEPOINT, code)
    assert caught.value.instruction == 2000 and len(caught.value.log) > 30_000


def test_asked_for_logs_of_accepted_programs() -> None:
    with prog_load(ProgramType.RAW_TRACEPOINT, RETURN_0, log_level=2) as program:
        assert "exit" in program.log


def test_test_run_and_statistics() -> None:
    # r0 = first argument + second argument
    code = insn(0x79, 0, 1) + insn(0x79, 2, 1, 8) + insn(0x0F, 0, 2) + insn(0x95)
    with enable_stats(), prog_load(ProgramType.RAW_TRACEPOINT, code, name="adder") as program:
        for cpu in facts.online_cpus():
            assert program.test_run(pack("=QQ", 40, 2), cpu=cpu).retval == 42
        found = program.statistics()
        assert found.run_cnt == len(facts.online_cpus()) and found.run_time_ns > 0
        assert found.xlated_bytes == len(program.xlated()) == 32
        with pytest.raises(KernelError) as caught:
            program.test_run(bytes(8))
        assert caught.value.errno == errno.EINVAL


def test_packet_programs_run_with_data() -> None:
    with prog_load(ProgramType.XDP, insn(0xB7, imm=2) + insn(0x95)) as program:
        found = program.test_run(data=bytes(range(64)), data_out_bytes=64, repeat=1)
        assert (found.retval, found.data) == (2, bytes(range(64)))


def test_programs_with_callbacks_load_with_func_info() -> None:
    from kernscope.btf.encode import func_info, functions_btf
    from kernscope.kernel.bpf import btf_load

    if not Kernel().has_feature("bpf_loop"):
        pytest.skip("this kernel has no bpf_loop()")
    # bpf_loop(10, callback, 0, 0); the callback stops after its fourth call.
    main = insn(0xB7, 1, imm=10) + insn(0x18, 2, 4, 0, 5) + insn(0) + insn(0xB7, 3) + insn(0xB7, 4)
    main += insn(0x85, imm=181) + insn(0x95)
    callback = insn(0xB7) + insn(0xA5, 1, 0, 1, 3) + insn(0xB7, imm=1) + insn(0x95)
    types, ids = functions_btf([("main", 1), ("each", 2)])
    with btf_load(types) as btf:
        info = func_info([0, len(main) // 8], ids)
        with prog_load(ProgramType.RAW_TRACEPOINT, main + callback, btf_fd=btf.fd, func_info=info) as program:
            assert program.test_run().retval == 4


def test_typed_tracepoints_take_their_target_at_load() -> None:
    with Kernel() as kernel:
        target = kernel.btf().raw_tracepoint("sys_enter")
        assert target is not None and [name for name, _ in target.parameters] == ["regs", "id"]
        with map_create(MapType.ARRAY, 4, 8, 1, MapFlag.MMAPABLE) as counter:
            kind, attach = ProgramType.TRACING, AttachType.TRACE_RAW_TP
            code = count_runs(counter.fd)
            with (
                prog_load(kind, code, expected_attach_type=attach, attach_btf_id=target.btf_id) as program,
                kernel.attach_raw_tracepoint(program, ""),
            ):
                before = counter.mmap()[:8].cast("Q")[0]
                for _ in range(50):
                    os.getppid()
                assert counter.mmap()[:8].cast("Q")[0] - before >= 50


def test_no_descriptor_is_left_after_failures() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    maps: list[Map] = []
    for attempt in range(3):
        with pytest.raises(KernelError), map_create(MapType.ARRAY, 4, 8, 1) as map:
            maps.append(map)
            prog_load(ProgramType.RAW_TRACEPOINT, insn(0x95), name=f"bad{attempt}")
    assert all(map.closed for map in maps)
    assert sorted(os.listdir("/proc/self/fd")) == before
