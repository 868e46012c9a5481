"""What is said of a probe that is not there, where several kinds say the same."""

from kernscope.diagnostics import Diagnostic, error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.syntax.ast import AttachPoint

__all__ = ["names_no_function", "not_supported_here"]


def names_no_function(point: "AttachPoint", provider: str) -> Diagnostic:
    """The error about a target that is no function of the kernel, whatever the kernel has."""
    return error(
        "bad-target",
        f"`{point.text}` does not name a function of the kernel",
        point.span,
        help=f"write `{provider}:vfs_read`, or `{provider}:MODULE:FUNCTION`",
    )


def not_supported_here(
    point: "AttachPoint", *features: str, help: "str | list[str] | None" = None
) -> Diagnostic:
    """The error about a probe that needs one of these features (see `kernel.feature_table`), none of which works."""
    from kernscope.kernel.feature_table import FEATURES  # loads all probes of features

    entries = [FEATURES[name] for name in features]
    return error(
        "not-supported-here",
        f"this kernel has no {' and no '.join(entry.title for entry in entries)}: `{point.text}` cannot be attached",
        point.span,
        notes=[f"{entry.title}: needs {entry.needs}" for entry in entries],
        help=help or next((f"instead: {entry.instead}" for entry in entries if entry.instead), None),
    )
