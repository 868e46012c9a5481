"""Names of error numbers, those that only the kernel itself sees included.

Sources: include/uapi/asm-generic/errno-base.h, include/uapi/asm-generic/errno.h, include/linux/errno.h.
x86_64 and arm64 share them. EAGAIN is also EWOULDBLOCK, EDEADLK also EDEADLOCK, EOPNOTSUPP also ENOTSUP in
the C library.
"""

__all__ = ["ERRNO_NAMES", "KERNEL_TEXTS", "MAX_ERRNO", "errno_name", "errno_number"]

MAX_ERRNO = 4095
"""A system call's result from -MAX_ERRNO to -1 is an error (include/linux/err.h)."""

_RUNS = (
    (
        1,
        "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT "
        "ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG "
        "ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP",
    ),
    (
        42,
        "ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL "
        "ENOANO EBADRQC EBADSLT",
    ),
    (
        59,
        "EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO "
        "EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX "
        "ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT "
        "EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL "
        "ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN "
        "ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN "
        "ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED "
        "EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON",
    ),
    # Never returned to a program, but seen by tracepoints: the call is restarted or becomes EINTR.
    (
        512,
        "ERESTARTSYS ERESTARTNOINTR ERESTARTNOHAND ENOIOCTLCMD ERESTART_RESTARTBLOCK EPROBE_DEFER "
        "EOPENSTALE ENOPARAM",
    ),
    (
        521,
        "EBADHANDLE ENOTSYNC EBADCOOKIE ENOTSUPP ETOOSMALL ESERVERFAULT EBADTYPE EJUKEBOX EIOCBQUEUED "
        "ERECALLCONFLICT ENOGRACE",
    ),
)

ERRNO_NAMES: dict[int, str] = {
    first + index: name for first, run in _RUNS for index, name in enumerate(run.split())
}
"""Error number → name."""

KERNEL_TEXTS: dict[str, str] = {
    "ERESTARTSYS": "interrupted by a signal: restarted if its handler has SA_RESTART",
    "ERESTARTNOINTR": "interrupted by a signal: always restarted",
    "ERESTARTNOHAND": "interrupted by a signal: restarted if it has no handler",
    "ERESTART_RESTARTBLOCK": "interrupted by a signal: restarted with the remaining time",
    "ENOIOCTLCMD": "the driver does not know this ioctl",
    "ENOTSUPP": "operation not supported by the kernel",
}
"""What errors that libc has no text for mean."""


def errno_name(number: int) -> str:
    """`2` → `ENOENT`; an unknown number as decimal text."""
    return ERRNO_NAMES.get(number) or str(number)


def errno_number(name: str) -> int:
    """`ENOENT` → `2`; KeyError for an unknown name."""
    for number, known in ERRNO_NAMES.items():
        if known == name:
            return number
    raise KeyError(name)
