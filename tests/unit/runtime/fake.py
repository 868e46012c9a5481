"""A kernel for tests of the runtime: maps, rings and programs in memory, and a diary of what was closed."""

import os
import struct
from collections.abc import Callable, Sequence
from typing import Any

PAGE = 4096


class FakeObject:
    is_read = False
    replaced_file = ""

    def __init__(self, kernel: "FakeKernel", name: str) -> None:
        self.kernel, self.name = kernel, name
        self.fd = os.open("/dev/null", os.O_RDONLY)
        kernel.open_objects.append(self)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.kernel.open_objects.remove(self)
            self.kernel.diary.append(f"close {self.name}")

    def fileno(self) -> int:
        return self.fd


class FakeMap(FakeObject):
    def __init__(self, kernel: "FakeKernel", name: str, key_size: int, value_size: int, entries: int) -> None:
        super().__init__(kernel, name)
        self.key_size, self.value_size = key_size, value_size
        self.memory = bytearray(max(PAGE, ((value_size + 7) & ~7) * entries))
        self.content: dict[bytes, bytes] = {}

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        self.content[key] = value
        self.memory[: len(value)] = value

    def items(self) -> list[tuple[bytes, bytes]]:
        return list(self.content.items())

    def clear(self) -> None:
        self.content.clear()

    def zero(self) -> None:
        self.content = {key: bytes(len(value)) for key, value in self.content.items()}

    def mmap(self) -> memoryview:
        return memoryview(self.memory)


class FakeRing:
    """Positions as the kernel's: every record takes its payload and 8 bytes, rounded up to 8."""

    def __init__(self, kernel: "FakeKernel", map: FakeMap) -> None:
        self.kernel = kernel
        self.records: list[tuple[int, bytes]] = []
        self.producer_pos = self.consumer_pos = 0
        self.read_end, self.write_end = os.pipe()
        kernel.open_objects.append(self)
        self.name = f"ring of {map.name}"

    def send(self, data: bytes) -> None:
        self.records.append((self.producer_pos, data))
        self.producer_pos += (len(data) + 15) & ~7
        os.write(self.write_end, b"!")

    @property
    def pending_bytes(self) -> int:
        return self.producer_pos - self.consumer_pos

    def drain(self, limit: int = 0, until: int | None = None) -> list[bytes]:
        found = []
        while self.records and (not limit or len(found) < limit):
            position, data = self.records[0]
            if until is not None and position >= until:
                break
            found.append(data)
            self.records.pop(0)
            os.read(self.read_end, 1)
            self.consumer_pos = position + ((len(data) + 15) & ~7)
        return found

    def fileno(self) -> int:
        return self.read_end

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)
        self.kernel.open_objects.remove(self)


class FakeProgram(FakeObject):
    recursion_misses = 0

    def test_run(self, context: bytes = b"") -> None:
        self.kernel.diary.append(f"run {self.name}")
        run = self.kernel.behaviour.get(self.name)
        if run is not None:
            run()

    def statistics(self) -> "FakeProgram":
        return self


class FakeKernel:
    possible_cpus = 2
    boot_offset_ns = 1_000_000_000_000

    def __init__(self) -> None:
        self.open_objects: list[Any] = []
        self.diary: list[str] = []
        self.maps: dict[str, FakeMap] = {}
        self.rings: dict[str, FakeRing] = {}
        self.programs: dict[str, FakeProgram] = {}
        self.behaviour: dict[str, Callable[[], object]] = {}
        self.code: dict[str, bytes] = {}
        self.fail_at = ""

    def _step(self, what: str) -> None:
        if what == self.fail_at:
            raise OSError(1, f"cannot {what}")
        self.diary.append(what)

    def user_name(self, uid: int) -> str:
        return {0: "root"}.get(uid, str(uid))

    def map_create(
        self, type: int, key_size: int, value_size: int, max_entries: int, flags: int = 0, name: str = ""
    ) -> FakeMap:
        self._step(f"create {name}")
        self.maps[name] = FakeMap(self, name, key_size, value_size, max_entries)
        return self.maps[name]

    def prog_load(self, type: int, code: bytes, *, name: str = "", **_: Any) -> FakeProgram:
        self._step(f"load {name}")
        self.code[name] = code
        self.programs[name] = FakeProgram(self, name)
        return self.programs[name]

    def ring_buffer(self, map: FakeMap) -> FakeRing:
        self.rings[map.name] = FakeRing(self, map)
        return self.rings[map.name]

    def attach(self, kernel: "FakeKernel", where: Any, program: FakeProgram) -> list[FakeObject]:
        assert kernel is self
        self._step(f"attach {where.probe}")
        return [FakeObject(self, f"link {where.probe}")]

    def detach(self, links: Sequence[FakeObject]) -> None:
        for link in links:
            link.close()

    def set_word(self, map: str, offset: int, value: int) -> None:
        struct.pack_into("<Q", self.maps[map].memory, offset, value)
