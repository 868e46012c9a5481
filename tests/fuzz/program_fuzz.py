"""Random programs through the whole compiler, against three oracles: make fuzz, or

    program_fuzz.py [--count N] [--seed S] [--jobs J] [--seconds T] [--no-kernel]

Each program is evaluated by `program_oracle`, run on the user-space eBPF machine, and, with privileges, loaded
and test-run by the kernel. Printed text, exit code, run-time errors and all maps must be the same. A failure
is shown with its seed and both results, and made smaller.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "support")]

from program_generator import MAX_MAP_KEYS, generate, map_of  # noqa: E402
from program_oracle import Discard, Result, evaluate  # noqa: E402
from program_run import compiled, facts_of_this_process, run_on, vm_kernel  # noqa: E402
from program_shrink import shrink  # noqa: E402
from program_tree import Program, program_text  # noqa: E402

__all__ = ["Failure", "Fuzzer"]

PROGRAM_SECONDS = 20
"""For compiling and running one program once, which usually takes some milliseconds."""


class Failure(Exception):
    """`what` went wrong with the program of `seed`; `details` has the results that differ."""

    def __init__(self, seed: int, what: str, program: Program, details: str) -> None:
        super().__init__(
            f"seed {seed}: {what}\nparameters: {program.params}\n{program_text(program)}{details}"
        )
        self.seed, self.what, self.program = seed, what, program


class OlderKernel:
    """A kernel's facts without some of its features: what is compiled for it must run on newer ones too."""

    def __init__(self, kernel: Any, without: tuple[str, ...]) -> None:
        self._kernel, self._without = kernel, without

    def has_feature(self, name: str) -> bool:
        return name not in self._without and self._kernel.has_feature(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)


def missing_features(seed: int) -> tuple[str, ...]:
    """What the kernel is said not to have, for some of the programs."""
    if seed % 10 == 9:
        return ("cpu_v4", "atomic_fetch", "may_goto", "rdonly_cast")
    return ("cpu_v4", "atomic_fetch", "tp_btf", "task_btf") if seed % 5 == 4 else ()


class Fuzzer:
    """Checks one seed after the other.

    Args:
        kernel: makes the kernel to test against, or None for the machine and Python alone.
    """

    def __init__(self, kernel: Any = None, *, verify: bool = False) -> None:
        self.kernel, self.verify = kernel, verify
        self.facts = facts_of_this_process()
        self.discarded = 0
        self.too_large = 0
        """Of those: programs that the verifier gave up, which is no judgement on them."""
        self.without: tuple[str, ...] = ()

    def check(self, seed: int) -> bool:
        """Check a program. False if it had to be left out.

        Raises Failure, with the program made smaller.
        """
        program = generate(seed)
        self.without = missing_features(seed)
        try:
            problem = self.problem(program)
        except Discard:
            self.discarded += 1
            return False
        if problem is not None:
            self.shrunk(seed, program, problem[0])
        return True

    def shrunk(self, seed: int, program: Program, what: str) -> None:
        def fails(smaller: Program) -> bool:
            try:
                found = self.problem(smaller)
            except (Discard, RecursionError, KeyError, AssertionError):
                return False
            return found is not None and found[0] == what

        small = shrink(program, fails)
        found = self.problem(small) or (what, "(not found again)")
        details = f"without {', '.join(self.without)}\n" if self.without else ""
        raise Failure(seed, found[0], small, details + found[1])

    def problem(self, program: Program) -> tuple[str, str] | None:
        """A short name of what is wrong with a program's results and the details, or None."""
        used = list({map: None for node in program.nodes() if (map := map_of(node)) is not None})
        expected = evaluate(program, self.facts, used, MAX_MAP_KEYS)
        signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, PROGRAM_SECONDS)
        where = "compiler"
        try:
            facts = self.kernel if self.kernel is not None else vm_kernel(self.facts)
            older = OlderKernel(facts, self.without)
            bundle = compiled(older, program_text(program), program.params, verify=self.verify)
            where = "machine"
            machine = vm_kernel(self.facts, facts.possible_cpus)
            machine.compiled_for = facts
            problem = self.compare(
                where, expected, run_on(machine, bundle, program.contexts, program.signals, program.calls)
            )
            # Without may_goto the kernel walks through every round of every loop, as far as it has patience.
            if problem is None and self.kernel is not None and "may_goto" not in self.without:
                where = "kernel"
                if program.calls:  # their programs are loaded, but cannot be test-run
                    without_calls = replace(program, calls=[])
                    expected = evaluate(without_calls, self.facts, used, MAX_MAP_KEYS)
                found = run_on(self.kernel, bundle, program.contexts, program.signals)
                problem = self.compare(where, expected, found)
        except Discard:
            raise
        except Exception as error:  # whatever it is, the program is to blame or we are
            codes = [d.code for d in getattr(error, "diagnostics", ()) if d.severity == "error"]
            if codes == ["program-too-large"]:
                self.too_large += 1
                raise Discard("more than the million steps that the verifier walks") from None
            if set(codes) == {"string-too-long"} and "may_goto" in self.without:
                raise Discard("too long to be searched without may_goto") from None
            what = f"{type(error).__name__} of the {where} {' '.join(codes)}".rstrip()
            return what, f"{what}: {_words(error)}\n"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return problem

    @staticmethod
    def compare(where: str, expected: Result, found: Result) -> tuple[str, str] | None:
        if any("lost" in error for error in found.errors):
            raise Discard("more output than the ring holds")
        for field in ("text", "exit_code", "errors", "maps"):
            wanted, got = getattr(expected, field), getattr(found, field)
            if field == "maps":
                wanted, got = ({key: value for key, value in side.items() if value} for side in (wanted, got))
            if wanted != got:
                return f"{field} of the {where}", f"expected {wanted!r}\n{where:8} {got!r}\n"
        return None


def _too_slow(number: int, frame: Any) -> None:
    raise TimeoutError(
        f"a program takes longer than {PROGRAM_SECONDS} s: " + "".join(traceback.format_stack(frame)[-6:])
    )


def _words(error: Exception) -> str:
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics:
        return "; ".join(f"{d.code}: {d.message} at `{d.span.text if d.span else ''}`" for d in diagnostics)
    log = getattr(getattr(error, "error", error), "log", "")
    return f"{error}\n{log[-3000:]}"


# --- command ---------------------------------------------------------------------------------------------------


def _kernel() -> Any:
    if os.geteuid():
        return None
    from kernscope.kernel import Kernel

    return Kernel()


def _work(job: int, jobs: int, options: argparse.Namespace, found: Any) -> None:
    fuzzer = Fuzzer(None if options.no_kernel else _kernel(), verify=options.verify)
    limit = time.monotonic() + options.seconds
    done = failures = 0
    for seed in range(options.seed + job, options.seed + options.count, jobs):
        if time.monotonic() > limit or failures >= options.failures:
            break
        try:
            done += fuzzer.check(seed)
        except Failure as failure:
            failures += 1
            print(f"{failure}\n", flush=True)
    found.put((done, fuzzer.discarded, fuzzer.too_large, failures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=900, help="stop after so long")
    parser.add_argument("--failures", type=int, default=3, help="stop a job after so many")
    parser.add_argument("--no-kernel", action="store_true")
    parser.add_argument("--verify", action="store_true", help="check every intermediate form")
    options = parser.parse_args()
    if not options.no_kernel and os.geteuid():
        print("without root: the kernel is left out")
    started = time.monotonic()
    context = multiprocessing.get_context("fork")
    found = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(job, options.jobs, options, found)) for job in range(options.jobs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results = []
    while not found.empty():
        results.append(found.get())
    done, discarded, too_large, failures = (
        (sum(column) for column in zip(*results)) if results else (0, 0, 0, 1)
    )
    seconds = time.monotonic() - started
    print(
        f"{done} programs agreed, {discarded} left out ({too_large} of them too large for the verifier), "
        f"{failures} failures, {seconds:.0f} s"
    )
    return 1 if failures or len(results) < options.jobs else 0


if __name__ == "__main__":
    sys.exit(main())
