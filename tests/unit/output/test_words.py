"""CPython's frames in the places of the native frames of its loop."""

from kernscope.output.words import in_place, incomplete_text, python_frame
from kernscope.tables.cpython import ENTRY, FRAME_WORD, INDEX_BITS
from kernscope.tables.unwinding import INCOMPLETE, Reason

LOOP = 0x1000
MARK = INCOMPLETE | Reason.NOT_MAPPED


def python(number: int, index: int = 0) -> int:
    """The word of a frame whose code object has a number."""
    return FRAME_WORD | number << INDEX_BITS | index


def placed(*words: int) -> list[int]:
    return in_place(words, lambda address: address == LOOP)


def test_a_frame_is_told_from_other_words() -> None:
    assert python_frame(python(0x123456, 77)) == (0x123456, 77)
    assert python_frame(0x7F0012345678) is None
    assert python_frame(ENTRY) is None and python_frame(MARK) is None


def test_stacks_without_python_stay() -> None:
    assert placed(1, 2, LOOP, 3) == [1, 2, LOOP, 3]
    assert placed() == []


def test_each_call_of_the_loop_runs_the_frames_up_to_an_entry() -> None:
    words = [1, LOOP, 2, LOOP, 3, python(10), python(11), ENTRY, python(12), ENTRY]
    assert placed(*words) == [1, python(10), python(11), 2, python(12), 3]


def test_the_leaf_may_be_the_loop_itself() -> None:
    assert placed(LOOP, 3, python(10), ENTRY) == [python(10), 3]


def test_frames_that_have_no_native_place_come_last() -> None:
    assert placed(1, LOOP, 2, python(10), ENTRY, python(11), ENTRY) == [1, python(10), 2, python(11)]


def test_a_mark_stays_at_the_end() -> None:
    assert placed(1, LOOP, MARK, python(10), ENTRY, python(11), ENTRY) == [1, python(10), python(11), MARK]


def test_a_call_without_an_entry_is_one() -> None:
    """Where there was no room for more frames: a mark says so."""
    bad, deep = INCOMPLETE | Reason.BAD_MEMORY, INCOMPLETE | Reason.TOO_DEEP
    assert placed(1, LOOP, 2, python(10), python(11)) == [1, python(10), python(11), 2, bad]
    many = [python(number) for number in range(1, 128)]
    assert placed(1, LOOP, 2, LOOP, 3, *many) == [1, *many, 2, LOOP, 3, deep]
    assert placed(1, LOOP, MARK, python(10)) == [1, python(10), MARK]


def test_a_call_that_is_just_beginning_has_no_frame() -> None:
    words = [1, LOOP, 2, LOOP, LOOP, 3, LOOP, 4, python(10), ENTRY, python(11), ENTRY]
    assert placed(*words) == [1, LOOP, 2, python(10), 3, python(11), 4]


def test_marks_have_texts() -> None:
    assert "too deep" in incomplete_text(INCOMPLETE | Reason.TOO_DEEP)
    assert incomplete_text(0x1234) == ""
