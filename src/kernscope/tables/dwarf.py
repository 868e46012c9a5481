"""Numbers of the DWARF debugging format, versions 2 to 5, as far as they are used here.

Source: "DWARF Debugging Information Format, Version 5", chapter 7; the GNU extensions are those of binutils'
include/dwarf2.def.
"""

__all__ = [
    "Attribute",
    "Encoding",
    "Form",
    "LineContent",
    "LineExtended",
    "LineOpcode",
    "RangeEntry",
    "Tag",
    "UnitType",
]


class Tag:
    """``DW_TAG_*``."""

    ARRAY_TYPE = 0x01
    CLASS_TYPE = 0x02
    ENUMERATION_TYPE = 0x04
    FORMAL_PARAMETER = 0x05
    LEXICAL_BLOCK = 0x0B
    MEMBER = 0x0D
    POINTER_TYPE = 0x0F
    REFERENCE_TYPE = 0x10
    COMPILE_UNIT = 0x11
    STRUCTURE_TYPE = 0x13
    SUBROUTINE_TYPE = 0x15
    TYPEDEF = 0x16
    UNION_TYPE = 0x17
    UNSPECIFIED_PARAMETERS = 0x18
    INHERITANCE = 0x1C
    INLINED_SUBROUTINE = 0x1D
    MODULE = 0x1E
    PTR_TO_MEMBER_TYPE = 0x1F
    SUBRANGE_TYPE = 0x21
    BASE_TYPE = 0x24
    CATCH_BLOCK = 0x25
    CONST_TYPE = 0x26
    ENUMERATOR = 0x28
    SUBPROGRAM = 0x2E
    TRY_BLOCK = 0x32
    VOLATILE_TYPE = 0x35
    RESTRICT_TYPE = 0x37
    NAMESPACE = 0x39
    IMPORTED_UNIT = 0x3D
    RVALUE_REFERENCE_TYPE = 0x42
    ATOMIC_TYPE = 0x47
    IMMUTABLE_TYPE = 0x4B


class Attribute:
    """``DW_AT_*``."""

    SIBLING = 0x01
    NAME = 0x03
    BYTE_SIZE = 0x0B
    BIT_SIZE = 0x0D
    STMT_LIST = 0x10
    LOW_PC = 0x11
    HIGH_PC = 0x12
    COMP_DIR = 0x1B
    CONST_VALUE = 0x1C
    UPPER_BOUND = 0x2F
    ABSTRACT_ORIGIN = 0x31
    BIT_OFFSET = 0x0C
    ARTIFICIAL = 0x34
    CALLING_CONVENTION = 0x36
    COUNT = 0x37
    DATA_MEMBER_LOCATION = 0x38
    CONTAINING_TYPE = 0x1D
    DECLARATION = 0x3C
    ENCODING = 0x3E
    EXTERNAL = 0x3F
    SPECIFICATION = 0x47
    TYPE = 0x49
    ENTRY_PC = 0x52
    RANGES = 0x55
    CALL_FILE = 0x58
    CALL_LINE = 0x59
    SIGNATURE = 0x69
    DATA_BIT_OFFSET = 0x6B
    LINKAGE_NAME = 0x6E
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    RNGLISTS_BASE = 0x74
    DEFAULTED = 0x8B
    MIPS_LINKAGE_NAME = 0x2007


class Form:
    """``DW_FORM_*``."""

    ADDR = 0x01
    BLOCK2 = 0x03
    BLOCK4 = 0x04
    DATA2 = 0x05
    DATA4 = 0x06
    DATA8 = 0x07
    STRING = 0x08
    BLOCK = 0x09
    BLOCK1 = 0x0A
    DATA1 = 0x0B
    FLAG = 0x0C
    SDATA = 0x0D
    STRP = 0x0E
    UDATA = 0x0F
    REF_ADDR = 0x10
    REF1 = 0x11
    REF2 = 0x12
    REF4 = 0x13
    REF8 = 0x14
    REF_UDATA = 0x15
    INDIRECT = 0x16
    SEC_OFFSET = 0x17
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19
    STRX = 0x1A
    ADDRX = 0x1B
    REF_SUP4 = 0x1C
    STRP_SUP = 0x1D
    DATA16 = 0x1E
    LINE_STRP = 0x1F
    REF_SIG8 = 0x20
    IMPLICIT_CONST = 0x21
    LOCLISTX = 0x22
    RNGLISTX = 0x23
    REF_SUP8 = 0x24
    STRX1 = 0x25
    STRX2 = 0x26
    STRX3 = 0x27
    STRX4 = 0x28
    ADDRX1 = 0x29
    ADDRX2 = 0x2A
    ADDRX3 = 0x2B
    ADDRX4 = 0x2C
    GNU_ADDR_INDEX = 0x1F01
    GNU_STR_INDEX = 0x1F02
    GNU_REF_ALT = 0x1F20
    GNU_STRP_ALT = 0x1F21


class Encoding:
    """``DW_ATE_*``: what the bits of a base type mean."""

    ADDRESS = 0x01
    BOOLEAN = 0x02
    COMPLEX_FLOAT = 0x03
    FLOAT = 0x04
    SIGNED = 0x05
    SIGNED_CHAR = 0x06
    UNSIGNED = 0x07
    UNSIGNED_CHAR = 0x08
    IMAGINARY_FLOAT = 0x09
    DECIMAL_FLOAT = 0x0F


class UnitType:
    """``DW_UT_*`` of version 5."""

    COMPILE = 1
    TYPE = 2
    PARTIAL = 3
    SKELETON = 4
    SPLIT_COMPILE = 5
    SPLIT_TYPE = 6


class RangeEntry:
    """``DW_RLE_*``: entries of a range list of version 5."""

    END_OF_LIST = 0
    BASE_ADDRESSX = 1
    STARTX_ENDX = 2
    STARTX_LENGTH = 3
    OFFSET_PAIR = 4
    BASE_ADDRESS = 5
    START_END = 6
    START_LENGTH = 7


class LineOpcode:
    """``DW_LNS_*``: standard opcodes of a program of lines; 0 begins an extended one."""

    EXTENDED = 0
    COPY = 1
    ADVANCE_PC = 2
    ADVANCE_LINE = 3
    SET_FILE = 4
    SET_COLUMN = 5
    NEGATE_STMT = 6
    SET_BASIC_BLOCK = 7
    CONST_ADD_PC = 8
    FIXED_ADVANCE_PC = 9
    SET_PROLOGUE_END = 10
    SET_EPILOGUE_BEGIN = 11
    SET_ISA = 12


class LineExtended:
    """``DW_LNE_*``."""

    END_SEQUENCE = 1
    SET_ADDRESS = 2
    DEFINE_FILE = 3
    SET_DISCRIMINATOR = 4


class LineContent:
    """``DW_LNCT_*``: what version 5 tells of a directory or a file."""

    PATH = 1
    DIRECTORY_INDEX = 2
