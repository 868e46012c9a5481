"""The part of conditions that the kernel decides: an expression of our language that is true wherever a condition is.

It may be true where no condition is (what the kernel cannot tell passes), never the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernscope.detector.conditions import Condition

__all__ = ["ALWAYS", "NEVER", "gate"]

ALWAYS, NEVER = "1", "0"


def gate(conditions: Sequence[Condition], event_type: str, names: Mapping[str, str]) -> str:
    """An expression that is true for every event of `event_type` for which one of the (expanded) conditions is.

    "1": all events of this type are wanted; "0": none, so that nothing need be attached for the type.

    `names` says what stands for a value in the program's text at the place of the gate; what is not in it is not decided
    in the kernel. Keys, and what the expression must be:

    | key | type | value |
    | --- | --- | --- |
    | `path` | string | `fd.name` of a file (also `fs.path.name`, see `path_fields`): absolute, "" where unknown |
    | `source`, `target` | string | `fs.path.source`, `fs.path.target` |
    | `comm`, `pcomm` | string | `proc.name`, `proc.pname` |
    | `pid`, `ppid`, `tid`, `sid`, `pgid`, `uid`, `gid`, `loginuid`, `tty` | number | the field of that name |
    | `res` | number | `evt.rawres`, signed |
    | `fd` | number | `fd.num` |
    | `flags` | number | of `open…`: the kernel's flags (O_…) |
    | `mode` | number | `i_mode` of the file, 0 where unknown |
    | `family` | number | AF_… of the socket, 0 where it is none |
    | `protocol` | number | IPPROTO_… of the socket |
    | `sip`, `cip`, `lip`, `rip` | number | IPv4 address in host order (of an IPv4 socket), else 0 |
    | `sport`, `cport`, `lport`, `rport` | number | the port in host order |

    A string whose key ends the text of the value at its limit (`path` at 1024 bytes) must be "" instead: an unknown
    string passes every test.
    """
    return ALWAYS
