"""Where CPython keeps its frames: offsets in bytes, by version, and how the kernel program is told of them.

3.11 and 3.12 are laid out as Include/internal/pycore_{runtime,interp,frame}.h and Include/cpython/{pystate,code}.h of
these versions say, on 64-bit Linux. From 3.13 on the interpreter publishes its offsets itself: `_PyRuntime` begins with
`struct _Py_DebugOffsets` (Include/internal/pycore_debug_offsets.h), whose members are 64-bit numbers in the order that
is given here.

`python_procs` has, by process id, what the program needs: u64 address of `_PyRuntime`, then one u32 per name of
`PROGRAM_FIELDS`. `python_codes` has the code objects that user space has been told about, by (u64 process id, u64
number).
"""

__all__ = [
    "CODES_MAP",
    "CODE_BYTES",
    "COOKIE",
    "DEBUG_OFFSETS",
    "ENTRY",
    "FILE_BYTES",
    "FRAME_WORD",
    "INDEX_BITS",
    "LAYOUTS",
    "MOST_CODES",
    "MOST_PYTHON_FRAMES",
    "MOST_PYTHON_PROCESSES",
    "NAME_BYTES",
    "NOWHERE",
    "NUMBER_BITS",
    "PROGRAM_FIELDS",
    "PYTHON_FRAME_BYTES",
    "PYTHON_MAP",
    "PYTHON_PROCESS_BYTES",
    "SENT_BYTES",
    "SENT_OBJECTS",
    "SHIM_OWNER",
    "TABLE_BYTES",
    "Layout",
]

PYTHON_MAP, CODES_MAP = "python_procs", "python_codes"
MOST_PYTHON_PROCESSES, MOST_CODES = 1024, 16384
MOST_PYTHON_FRAMES = 128

FRAME_WORD = 1 << 63
"""Marks a word of a stack as a CPython frame: bits 61-19 are a number for its code object, bits 18-0 the index of the
instruction in its bytecode, in units of two bytes."""
NUMBER_BITS, INDEX_BITS = 43, 19

PYTHON_FRAME_BYTES, CODE_BYTES = 80, 192
"""Of a frame and of a code object, as much as has what is needed."""
NAME_BYTES, FILE_BYTES, TABLE_BYTES = 192, 256, 256
"""Of the objects with a code object's name, file and table of lines that are sent when it is met."""
SENT_OBJECTS = (
    ("code_qualname", NAME_BYTES),
    ("code_filename", FILE_BYTES),
    ("code_linetable", TABLE_BYTES),
)
SENT_BYTES = 8 + NAME_BYTES + FILE_BYTES + TABLE_BYTES
"""The first of these 8 bytes are the first line, an int."""
ENTRY = FRAME_WORD
"""Follows the last frame of a call of the interpreter's loop: the next frame belongs to an outer call."""

NOWHERE = 0xFFFFFFFF
"""A member that this version does not have."""
SHIM_OWNER = 3
"""From this `owner` on a frame stands for a call of the interpreter's loop and has no code (from 3.12 on)."""

Layout = dict[str, int]

_CODE = {"code_filename": 112, "code_qualname": 128, "code_linetable": 136}

LAYOUTS: dict[tuple[int, int], Layout] = {
    (3, 11): _CODE
    | {
        "interpreters_head": 40, "interpreter_next": 0, "threads_head": 16, "thread_next": 8, "thread_id": 152,
        "thread_frame": 56, "through": 8, "frame_code": 32, "frame_previous": 48, "frame_instr": 56,
        "frame_owner": 69, "frame_entry": 68, "code_firstlineno": 72, "code_bytecode": 184,
        "ascii_data": 48, "compact_data": 72,
    },
    (3, 12): _CODE
    | {
        "interpreters_head": 40, "interpreter_next": 0, "threads_head": 72, "thread_next": 8, "thread_id": 136,
        "thread_frame": 56, "through": 0, "frame_code": 0, "frame_previous": 8, "frame_instr": 56,
        "frame_owner": 70, "frame_entry": NOWHERE, "code_firstlineno": 68, "code_bytecode": 192,
        "ascii_data": 40, "compact_data": 56,
    },
}  # fmt: skip
"""`through`: where in what `thread_frame` points to the frame is; NOWHERE: `thread_frame` is the frame."""

COOKIE = b"xdebugpy"

_BEFORE = (
    "cookie version free_threaded runtime_size finalizing interpreters_head interpreter_size interpreter_id"
)
_THREAD = "thread_size thread_prev thread_next thread_interp thread_frame thread_id native_thread_id datastack status"
_FRAME = "frame_size frame_previous frame_code frame_instr localsplus frame_owner"
_CODE_NAMES = (
    "code_size code_filename code_name code_qualname code_linetable code_firstlineno argcount localsplusnames "
    "localspluskinds code_bytecode"
)
_OBJECTS = (
    "object_size ob_type type_size tp_name tp_repr tp_flags tuple_size ob_item tuple_ob_size list_size list_item "
    "list_ob_size"
)

DEBUG_OFFSETS: dict[tuple[int, int], tuple[str, ...]] = {
    (3, 13): tuple(
        f"{_BEFORE} interpreter_next threads_head gc modules sysdict builtins ceval_gil gil gil_enabled gil_locked "
        f"gil_holder {_THREAD} {_FRAME} {_CODE_NAMES} {_OBJECTS}".split()
    ),
    (3, 14): tuple(
        f"{_BEFORE} interpreter_next threads_head threads_main gc modules sysdict builtins ceval_gil gil gil_enabled "
        f"gil_locked gil_holder code_generation tlbc_generation {_THREAD} {_FRAME} stackpointer tlbc_index "
        f"{_CODE_NAMES} {_OBJECTS}".split()
    ),
}
"""The members of `struct _Py_DebugOffsets` in order, as far as they are needed."""

PROGRAM_FIELDS = (
    "interpreters_head",
    "interpreter_next",
    "threads_head",
    "thread_next",
    "thread_id",
    "thread_frame",
    "through",
    "frame_code",
    "frame_previous",
    "frame_instr",
    "frame_owner",
    "frame_entry",
    "code_bytecode",
    "code_qualname",
    "code_filename",
    "code_firstlineno",
    "code_linetable",
)
PYTHON_PROCESS_BYTES = 8 + 4 * len(PROGRAM_FIELDS) + 4
"""A multiple of 8."""
