"""`socket_cookie`: the kernel's own number of a socket, by bpf_get_socket_cookie()."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.diagnostics import error
from kernscope.syntax.ast import Call
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import UINT64, Pointer, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

_SOCKETS = frozenset(
    f"struct {name}"
    for name in """
    inet_connection_sock inet_request_sock inet_sock inet_timewait_sock mptcp_sock request_sock sock sock_common
    tcp6_sock tcp_request_sock tcp_sock tcp_timewait_sock udp6_sock udp_sock unix_sock
    """.split()
)
"""What the helper takes (BTF_SOCK_TYPE_xxx of include/linux/btf_ids.h)."""


class _SocketCookie(Function):
    name = "socket_cookie"
    usage = ("socket_cookie(SOCK)",)
    doc = (
        "The number that the kernel gives a socket, the same as long as it exists, in `fentry` and `fexit`: "
        "`socket_cookie(args.sk)`. 0 of NULL."
    )
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        source = call.args[0]
        t = cx.type_of(source)
        for target in cx.targets:
            if not target.kind.may_ask_sockets:
                cx.report(
                    error(
                        "not-available-here",
                        f"`{self.name}()` does not work in `{target.name}`",
                        call.span,
                        label="only in `fentry` and `fexit`",
                    )
                )
                return UINT64
        if t is None:
            return None
        if not isinstance(t, Pointer) or not isinstance(t.target, Struct) or t.target.name not in _SOCKETS:
            cx.report(
                error("type-mismatch", f"`{self.name}()` wants a `struct sock *`, this is `{t}`", source.span)
            )
        elif not cx.begins_known(source):
            cx.report(
                error(
                    "type-mismatch",
                    f"`{self.name}()` follows members of `args` only",
                    source.span,
                    help="write the whole way: `socket_cookie(args.sk)`, `socket_cookie(args.sock.sk)`",
                )
            )
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        result = object()
        without, done = b.block("no_socket", likely=False), b.block("socket_done")
        b.write_var(result, b.call(HELPER_IDS["get_socket_cookie"], lo.known_place(call.args[0], without)))
        b.jump(done)
        b.seal(without)
        b.position(without)
        b.write_var(result, 0)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(result)


FUNCTIONS = (_SocketCookie(),)
