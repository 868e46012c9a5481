"""The data that collectors make and formats read."""

from kernscope.profiler.profile import Frame, Node, Profile, Sample


def native(*names: str) -> list[Frame]:
    return [Frame(name, "native", "/bin/work") for name in names]


def example() -> Profile:
    profile = Profile("cpu", "samples")
    for stack, value, tid in (
        (("main", "a", "b"), 7, 1),
        (("main", "a"), 2, 1),
        (("main", "b", "a", "b"), 1, 2),
    ):
        profile.add(Sample(profile.stack(native(*stack)), 1, tid, "work", value, value))
    return profile


def names(node: Node) -> dict[str, tuple[int, int]]:
    return {child.frame.name: (child.value, child.own) for child in node.children.values()}


def test_frames_and_stacks_are_kept_once() -> None:
    profile = example()
    assert profile.stack(native("main", "a")) == 1
    assert len(profile.frames) == 3 and len(profile.stacks) == 3
    assert profile.stack([Frame("main", "native", "/bin/other")]) == 3 and len(profile.frames) == 4


def test_totals() -> None:
    profile = example()
    assert (profile.total, profile.count) == (10, 10)


def test_functions_count_a_recursive_one_once() -> None:
    found = [(frame.name, own, whole) for frame, own, whole in example().functions()]
    assert found == [("b", 8, 8), ("a", 2, 10), ("main", 0, 10)]


def test_tree() -> None:
    root = example().tree()
    assert (root.value, root.own) == (10, 0)
    (main,) = root.children.values()
    assert names(main) == {"a": (9, 2), "b": (1, 0)}
    assert [node.frame.name for node in main.ranked()] == ["a", "b"]
    assert [(depth, node.frame.name) for depth, node in root.walk()] == [
        (0, "all"), (1, "main"), (2, "a"), (3, "b"), (2, "b"), (3, "a"), (4, "b"),
    ]  # fmt: skip


def test_tree_by_thread() -> None:
    root = example().tree(lambda sample: [f"thread {sample.tid}"])
    assert names(root) == {"thread 1": (9, 0), "thread 2": (1, 0)}


def test_inverted_tree() -> None:
    assert names(example().tree(inverted=True)) == {"b": (8, 0), "a": (2, 0)}


def test_empty_stack() -> None:
    profile = Profile("cpu", "samples")
    profile.add(Sample(profile.stack([]), 1, 1, "x", 3))
    assert profile.functions() == [] and profile.tree().own == 3
