"""The tree of processes: fork, exec, exit, what /proc knew before, and what was lost on the way."""

from kernscope.detector.watch.processes import ProcessTree
from kernscope.kernel.process_table import ProcessFacts

SECOND = 1_000_000_000


class Proc:
    """A /proc that tests fill."""

    def __init__(self) -> None:
        self.known: dict[int, ProcessFacts] = {}
        self.asked: list[int] = []

    def add(self, pid: int, ppid: int, comm: str, start_s: float) -> None:
        facts = ProcessFacts(pid)
        facts.ppid, facts.comm, facts.start_ns = ppid, comm, int(start_s * SECOND)
        facts.exe, facts.arguments = f"/bin/{comm}", [comm]
        self.known[pid] = facts

    def read(self, pid: int) -> ProcessFacts | None:
        self.asked.append(pid)
        return self.known.get(pid)


def names(tree: ProcessTree, pid: int) -> list[str]:
    process = tree.get(pid)
    assert process is not None
    return [ancestor.comm for ancestor in process.ancestors()]


def machine() -> tuple[Proc, ProcessTree]:
    proc = Proc()
    # A child may have a lower pid than its parent: pids are reused.
    for pid, ppid, comm, start in ((1, 0, "init", 0), (500, 1, "sshd", 5), (90, 500, "bash", 9)):
        proc.add(pid, ppid, comm, start)
    tree = ProcessTree(proc.read)
    tree.seed(proc.known)
    return proc, tree


def test_seeded_with_parents() -> None:
    _, tree = machine()
    assert names(tree, 90) == ["sshd", "init"]
    assert len(tree) == 3


def test_a_child_is_its_parent_until_it_execs() -> None:
    _, tree = machine()
    child = tree.fork(91, 10 * SECOND, 90)
    assert (child.comm, child.exe, child.arguments) == ("bash", "/bin/bash", ["bash"])
    same = tree.exec(91, 10 * SECOND, 90)
    assert same is child
    assert names(tree, 91) == ["bash", "sshd", "init"]


def test_ancestors_that_ended_stay_with_their_descendants() -> None:
    _, tree = machine()
    tree.fork(91, 10 * SECOND, 90)
    tree.fork(92, 11 * SECOND, 91)
    tree.exit(91, 12 * SECOND)
    tree.exit(90, 12 * SECOND)
    for second in range(100):
        tree.exit(7, (13 + second) * SECOND)
    assert len(tree) == 3  # 1, 500, 92
    assert names(tree, 92) == ["bash", "bash", "sshd", "init"]


def test_who_ended_is_known_for_a_while() -> None:
    proc, tree = machine()
    tree.fork(91, 10 * SECOND, 90)
    tree.exit(91, 12 * SECOND)
    tree.exit(7, 13 * SECOND)
    asked = len(proc.asked)
    assert tree.get(91, 10 * SECOND) is not None
    assert len(proc.asked) == asked


def test_a_reused_pid_is_another_process() -> None:
    proc, tree = machine()
    proc.add(90, 1, "other", 50)
    found = tree.get(90, 50 * SECOND + 3)
    assert found is not None
    assert (found.comm, found.start_ns) == ("other", 50 * SECOND + 3)
    assert tree.healed == 1
    # The old one cannot be read any more, and is not mixed up with the new one.
    assert tree.get(90, 9 * SECOND) is None


def test_lost_forks_are_healed_from_proc() -> None:
    proc, tree = machine()
    proc.add(600, 90, "make", 20)
    proc.add(601, 600, "cc", 21)
    assert names(tree, 601) == ["make", "bash", "sshd", "init"]
    assert tree.healed == 1


def test_a_lost_fork_before_an_exec() -> None:
    _, tree = machine()
    process = tree.exec(700, 30 * SECOND, 90)
    assert process.parent is tree.get(90)
    assert process.start_ns == 30 * SECOND


def test_a_process_that_is_gone_is_none() -> None:
    _, tree = machine()
    assert tree.get(4242, 5) is None


def test_a_cycle_in_proc_ends() -> None:
    proc = Proc()
    proc.add(5, 6, "a", 1)
    proc.add(6, 5, "b", 1)
    tree = ProcessTree(proc.read)
    tree.seed(proc.known)
    process = tree.get(5)
    assert process is not None
    assert len(list(process.ancestors())) <= 64


def test_the_tree_is_bounded() -> None:
    _, tree = machine()
    for pid in range(1000, 80_000):
        tree.fork(pid, pid * SECOND, 1)
    assert len(tree) == 65_536
    # Pid 1 was forgotten too, and read again for its next child.
    assert (tree.forgotten, tree.healed) == (3 + 79_000 + 1 - 65_536, 1)
