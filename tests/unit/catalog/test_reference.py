"""Every name of the reference's standard library (docs/stdlib.md of bpftrace 0.27) has an entry with documentation."""

import pytest

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import BUILTINS
from kernscope.catalog.functions import FUNCTIONS

HELPERS = """
assert assert_str bswap buf cat cgroup cgroup_path cgroupid clear comm cpid cpu curtask default_str_length delete
elapsed errorf exit fail find func getopt gid has_cpid has_key is_array is_integer is_literal is_ptr is_str
is_unsigned_integer jiffies join kaddr kfunc_allowed kfunc_exist kptr kstack ksym len macaddr memcmp ncpus nsecs ntop
numaid offsetof override path pcomm percpu_kaddr pid ppid print printf probe probetype pton rand reg retval signal
signal_thread sizeof skboutput socket_cookie static_assert str strcap strcontains strerror strftime strlen strncmp
strstr syscall_name system tid time uaddr uid unwatch uptr usermode username ustack usym warnf zero
""".split()
MAP_FUNCTIONS = "avg count hist lhist max min stats sum tseries".split()

SYNTAX = {"sizeof", "offsetof"}
"""Parsed as expressions of their own, for their arguments may be types."""


@pytest.mark.parametrize("name", HELPERS)
def test_helper(name: str) -> None:
    if name in SYNTAX:
        return
    assert name in FUNCTIONS or name in BUILTINS


@pytest.mark.parametrize("name", MAP_FUNCTIONS)
def test_map_function(name: str) -> None:
    assert AGGREGATIONS[name].doc and AGGREGATIONS[name].signature.startswith(name + "(")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_are_documented(name: str) -> None:
    entry = FUNCTIONS[name]
    assert entry.name == name and entry.doc.endswith(".")
    assert entry.usage and all(usage.startswith(name) for usage in entry.usage)
    least, most = entry.arity
    assert most is None or least <= most


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_builtins_are_documented(name: str) -> None:
    assert BUILTINS[name].doc
