"""The maps through which user space tells the unwinder where code is mapped and how its frames look.

`unwind_rows` is one array of 8-byte words, with the tables of all files one after the other. A table begins with an
index, so that few of its rows have to be looked at: for each block of BLOCK_BYTES addresses, and for the end, a 32-bit
number of the last row at or before the block's start. It counts words from the table's beginning. The rows follow, as
`kernscope.elf.eh_frame` describes them.

`unwind_files` says which table a file has. Its key is what the kernel knows the file by: u64 device (major << 20 |
minor), u64 inode number, u64 version: its size, exclusive or the seconds of its last change << 32. Its value:

    u32 table, the word where it begins; u32 blocks, 0 if there is none: frames are followed by frame pointers
    MOST_SEGMENTS times, for parts of the file that are mapped: u64 offset in the file where it ends, u64 shift: an
    address in the table less the offset in the file. The last one also counts for all that comes behind it.

`unwind_told` has the mappings that user space has been told about: u64 process id, u64 start, u64 inode number; and the
files: u64 device, u64 all ones, u64 inode number.
"""

__all__ = [
    "BLOCK_BITS",
    "BLOCK_BYTES",
    "FILES_MAP",
    "FILE_BYTES",
    "INCOMPLETE",
    "KEY_BYTES",
    "MOST_FILES",
    "MOST_SEGMENTS",
    "MOST_TOLD",
    "MOST_WORDS",
    "NO_FILE_KEY",
    "ROWS_MAP",
    "SEGMENTS_AT",
    "SEGMENT_BYTES",
    "TOLD_MAP",
    "VDSO_KEY",
    "Reason",
]

ROWS_MAP, FILES_MAP, TOLD_MAP = "unwind_rows", "unwind_files", "unwind_told"

MOST_WORDS = 1 << 22
"""Of all files together: 32 MiB. A power of two, so that a mask bounds an index for the verifier."""
BLOCK_BITS = 8
BLOCK_BYTES = 1 << BLOCK_BITS
"""No more than so many rows can begin in a block, which bounds the search. Libraries have 3 to 5 on average."""
MOST_FILES, MOST_TOLD = 8192, 16384
KEY_BYTES = 24
NO_FILE_KEY, VDSO_KEY = (0, 0, 0), (0, 0, 1)
"""Of memory without a file, and of the code that the kernel itself maps into processes."""
SEGMENTS_AT, SEGMENT_BYTES, MOST_SEGMENTS = 8, 16, 4
FILE_BYTES = SEGMENTS_AT + MOST_SEGMENTS * SEGMENT_BYTES

INCOMPLETE = 1 << 62
"""Ends the words of a stack that could not be followed to its root; the lower bits are a `Reason`."""


class Reason:
    """Why a stack is incomplete."""

    NO_RULE = 1
    """Nothing describes the code that was reached."""
    NOT_MAPPED = 2
    """The file was not known yet."""
    BAD_MEMORY = 3
    """The stack could not be read, or makes no sense."""
    TOO_DEEP = 4
    """It has more frames than are kept."""
