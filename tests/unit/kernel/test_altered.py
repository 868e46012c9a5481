"""Kernels that are as another in all but one respect."""

from kernscope.kernel.altered import LoggingKernel, PoorerKernel


class Loaded:
    log = "processed 2 insns"


class FakeKernel:
    release = "6.18.0"

    def has_feature(self, name: str) -> bool:
        return name != "never"

    def prog_load(self, type: int, code: bytes, **options: object) -> Loaded:
        assert options["log_level"] == 2 and (type, code) == (17, b"code")
        return Loaded()


def test_features_that_must_not_be_used() -> None:
    kernel = PoorerKernel(FakeKernel(), ["kprobe_multi", "uprobe_multi"])  # type: ignore[arg-type]
    assert [kernel.has_feature(n) for n in ("kprobe_multi", "uprobe_multi", "ringbuf", "never")] == [
        False,
        False,
        True,
        False,
    ]
    assert kernel.release == "6.18.0"


def test_what_the_verifier_says_is_told() -> None:
    told: list[tuple[str, str]] = []
    kernel = LoggingKernel(FakeKernel(), lambda name, log: told.append((name, log)))  # type: ignore[arg-type]
    assert isinstance(kernel.prog_load(17, b"code", name="begin"), Loaded)
    assert told == [("begin", "processed 2 insns")] and kernel.release == "6.18.0"
