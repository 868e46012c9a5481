"""The maps through which user space tells the unwinder where code is mapped and how its frames look.

`unwind_rows` is one array of 8-byte words, with the tables of all files one after the other. A table begins with an
index, so that few of its rows have to be looked at: for each block of BLOCK_BYTES addresses, and for the end, a 32-bit
number of the last row at or before the block's start. It counts words from the table's beginning. The rows follow, as
`kernscope.elf.eh_frame` describes them.

`unwind_processes` has, by process id, a header and the process's executable mappings, sorted by address:

    header   u32 count, u32 reserved, u32 exec id (ANY until a program has seen the process), u32 reserved
    mapping  u64 start, u64 end, u64 bias (an address less the bias is the row's address), u32 table, u32 blocks

`unwind_asked` has the pages that user space has been asked about: process id << 32 | address >> 12 (32 bits of it).

A mapping without blocks is code that nothing describes: its frames are followed by frame pointers.
"""

__all__ = [
    "ANY_EXEC_ID",
    "ASKED_MAP",
    "BLOCK_BITS",
    "BLOCK_BYTES",
    "HEADER_BYTES",
    "INCOMPLETE",
    "MAPPING_BYTES",
    "MOST_ASKED",
    "MOST_MAPPINGS",
    "MOST_PROCESSES",
    "MOST_WORDS",
    "PROCESSES_MAP",
    "PROCESS_BYTES",
    "ROWS_MAP",
    "Reason",
]

ROWS_MAP = "unwind_rows"
PROCESSES_MAP = "unwind_procs"
ASKED_MAP = "unwind_asked"

MOST_WORDS = 1 << 22
"""Of all files together: 32 MiB. A power of two, so that a mask bounds an index for the verifier."""
BLOCK_BITS = 8
BLOCK_BYTES = 1 << BLOCK_BITS
"""No more than so many rows can begin in a block, which bounds the search. Libraries have 3 to 5 on average."""
MOST_MAPPINGS = 256
"""Of one process; its others count as not mapped."""
MOST_PROCESSES = 2048
MOST_ASKED = 4096
HEADER_BYTES, MAPPING_BYTES = 16, 32
PROCESS_BYTES = HEADER_BYTES + MOST_MAPPINGS * MAPPING_BYTES
ANY_EXEC_ID = 0xFFFFFFFF

INCOMPLETE = 1 << 62
"""Ends the words of a stack that could not be followed to its root; the lower bits are a `Reason`."""


class Reason:
    """Why a stack is incomplete."""

    NO_RULE = 1
    """Nothing describes the code that was reached."""
    NOT_MAPPED = 2
    """The process, or the code, was not known yet."""
    BAD_MEMORY = 3
    """The stack could not be read, or makes no sense."""
    TOO_DEEP = 4
    """It has more frames than are kept."""
