"""The part of the program that counts system calls for windows and scores: text of our language.

Counting every call exactly would cost as much as all rules together, so there are two ways. **Sampled:** one call in
`SAMPLE`, chosen at random, counts for so many; that is exact to a per cent for a flood and costs a few nanoseconds a
call. It is what rules about `window` need. **Exact while it is quiet**, for scores and learning: `EXACT_PER_ROUND`
calls in each tenth of a second are counted one by one, with the runs of three calls that a thread makes; the rest is
sampled. So the cost is bounded whatever processes do, and a flood only makes the picture of itself coarser.
"""

from __future__ import annotations

__all__ = ["GRAM_KIND", "MAP_NAMES", "NUMBER_BITS", "SAMPLE", "SAMPLED_BIT", "behaviour_text"]

SAMPLE = 64
"""A power of two."""
EXACT_PER_ROUND = 2000
GRAM_KIND = 7
"""The first value of records of runs of calls."""
MAP_NAMES = ("@behaviour_even", "@behaviour_odd")
"""In one the program counts, while the other is read and cleared: so nothing is lost in between."""
NUMBER_BITS = 10
"""Of a system call's number; all are below 1,024 (include/uapi/asm-generic/unistd.h and the x86 table)."""
SAMPLED_BIT = 1 << NUMBER_BITS
"""In the number of calls that stand for `SAMPLE`."""

_SHARDS = 8
"""Countdowns to the next sample, one for each CPU up to so many: a count that all write would lose much in a flood."""


def _countdown(first: int, end: int, indent: str) -> str:
    """Set `$weight` on every call whose turn it is: the next turn is 1 to 2 * SAMPLE - 1 calls away, at random, so that
    no loop of a process keeps step.
    """
    if end - first == 1:
        skip = f"@behaviour_skip{first}"
        again = f"{skip} = 1 + (rand % {2 * SAMPLE - 1}); $weight = {SAMPLE};"
        return f"{indent}{skip}--; if ({skip} <= 0) {{ {again} }}\n"
    middle = (first + end) // 2
    return (
        f"{indent}if ($shard < {middle}) {{\n{_countdown(first, middle, indent + '  ')}{indent}}} else {{\n"
        f"{_countdown(middle, end, indent + '  ')}{indent}}}\n"
    )


_HEAD = f"""\
let {MAP_NAMES[0]} = percpulruhash(16384);
let {MAP_NAMES[1]} = percpulruhash(16384);
"""

_TAKE_SAMPLE = f"""\
  $shard = cpu & {_SHARDS - 1};
{_countdown(0, _SHARDS, "  ")}"""

# Who: the process and its executable, as another program may be executed before the map is read.
_COUNT = f"""\
  if ($weight != 0 && pid != @self) {{
    $exe = (uint64)((struct task_struct *)curtask)->mm->exe_file->f_inode->i_ino;
    $call = (uint64)args.regs->orig_ax;
    if ($weight > 1) {{ $call = $call | {SAMPLED_BIT}; }}
    if (@behaviour_phase == 0) {{ {MAP_NAMES[0]}[pid, $exe, $call, (int64)args.ret < 0] = sum($weight); }}
    else {{ {MAP_NAMES[1]}[pid, $exe, $call, (int64)args.ret < 0] = sum($weight); }}
  }}
"""

_SAMPLED = f"""\
{_HEAD}rawtracepoint:sys_exit {{
  $weight = 0;
{_TAKE_SAMPLE}{_COUNT}}}
"""

# `@behaviour_last[tid]`: the round in which it was written, and the numbers of the last two calls. Calls that were not
# counted lie between rounds of which one ran dry, so a thread begins anew there, as it does where it executes another
# program (execve 59, execveat 322). 1023 stands for no call.
_EXACT = f"""\
{_HEAD}let @behaviour_last = lruhash(16384);
let @behaviour_runs = lruhash(65536);
rawtracepoint:sys_exit {{
  $weight = 0;
  if (@behaviour_left > 0) {{
    @behaviour_left--;
    $weight = 1;
    $number = (uint64)args.regs->orig_ax;
    if (pid != @self && $number < 1023) {{
      $last = @behaviour_last[tid];
      $round = ((uint64)@behaviour_round) << 20;
      if ((($last >> 20) << 20) != $round || $number == 59 || $number == 322) {{ $last = $round | 0xfffff; }}
      $run = (($last & 0xfffff) << 10) | $number;
      @behaviour_last[tid] = $round | ($run & 0xfffff);
      if (($run >> 20) != 1023) {{
        $task = (struct task_struct *)curtask;
        $file = (uint64)$task->mm->exe_file->f_inode->i_ino;
        if (!has_key(@behaviour_runs, ($file, $run))) {{
          @behaviour_runs[$file, $run] = 1;
          print(({GRAM_KIND}, nsecs, (uint64)pid, (uint64)$task->group_leader->start_boottime, $run));
        }}
      }}
    }}
    if (@behaviour_left == 0) {{ @behaviour_dry = 1; }}
  }} else {{
{_TAKE_SAMPLE}  }}
{_COUNT}}}
interval:ms:100 {{
  if (@behaviour_dry) {{ @behaviour_round++; @behaviour_dry = 0; }}
  @behaviour_left = {EXACT_PER_ROUND};
}}
"""

_SEND = f"""\
interval:s:1 {{
  if (@behaviour_phase == 0) {{ @behaviour_phase = 1; print({MAP_NAMES[0]}); clear({MAP_NAMES[0]}); }}
  else {{ @behaviour_phase = 0; print({MAP_NAMES[1]}); clear({MAP_NAMES[1]}); }}
}}
"""


def behaviour_text(*, exact: bool) -> str:
    """Clauses that count; calls of the process `@self` are left out."""
    return (_EXACT if exact else _SAMPLED) + _SEND
