"""What a program can learn about its surroundings: set by tests, constant unless they change it."""

from kernscope.asm.vm.memory import OutsideMemory

__all__ = ["Environment"]


class Environment:
    """The task, the processor, the clocks and the memory that helpers report.

    Times are in nanoseconds; every reading of a clock adds `clock_step_ns` to all of them afterwards, so a
    test can see time pass. `random` holds the numbers that get_prandom_u32 will give; when they run out it
    gives 0. `pid` and `tgid` are the kernel's: the thread and the process.
    """

    def __init__(
        self,
        *,
        pid: int = 1234,
        tgid: int = 1234,
        uid: int = 0,
        gid: int = 0,
        comm: bytes = b"vm",
        cpu: int = 0,
        cpus: int = 1,
        numa_node: int = 0,
        ktime_ns: int = 1_000_000_000,
        boot_ns: int = 1_000_000_000,
        coarse_ns: int = 1_000_000_000,
        tai_ns: int = 1_700_000_000_000_000_000,
        clock_step_ns: int = 0,
        jiffies: int = 4_294_937_296,
        random: list[int] | None = None,
        cgroup_id: int = 1,
        task: int = 0xFFFF888000001000,
        attach_cookie: int = 0,
        pid_namespace: tuple[int, int] = (4, 4026531836),
        namespace_pid: int | None = None,
        namespace_tgid: int | None = None,
    ) -> None:
        self.pid = pid
        self.tgid = tgid
        self.uid = uid
        self.gid = gid
        self.comm = comm
        self.cpu = cpu
        self.cpus = cpus
        self.numa_node = numa_node
        self.ktime_ns = ktime_ns
        self.boot_ns = boot_ns
        self.coarse_ns = coarse_ns
        self.tai_ns = tai_ns
        self.clock_step_ns = clock_step_ns
        self.jiffies = jiffies
        self.random = list(random or ())
        self.cgroup_id = cgroup_id
        self.task = task
        self.attach_cookie = attach_cookie
        self.pid_namespace = pid_namespace
        self.namespace_pid = pid if namespace_pid is None else namespace_pid
        self.namespace_tgid = tgid if namespace_tgid is None else namespace_tgid
        self.memory: list[OutsideMemory] = []

    def add_memory(self, address: int, data: bytes, *, user: bool) -> None:
        """Map bytes at an address of the user process or of the kernel, for the probe_read helpers."""
        self.memory.append(OutsideMemory(address, bytes(data), user))

    def advance_clocks(self) -> None:
        """Let `clock_step_ns` pass."""
        step = self.clock_step_ns
        self.ktime_ns += step
        self.boot_ns += step
        self.coarse_ns += step
        self.tai_ns += step

    def next_random(self) -> int:
        """The next number of the given sequence, or 0."""
        return self.random.pop(0) & 0xFFFFFFFF if self.random else 0
