"""profile.proto, read by protocol buffers' own implementation, and by pprof where Go is installed.

The messages are described here as github.com/google/pprof's proto/profile.proto has them.
"""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from made_profiles import HOSTILE, hostile, with_lines, work

from kernscope.profiler.formats import write
from kernscope.profiler.formats.labels import as_utf8
from kernscope.profiler.profile import Profile

INT64, UINT64, BOOL, STRING, MESSAGE = 3, 4, 8, 9, 11  # FieldDescriptorProto.Type
MESSAGES = {
    "ValueType": "type=1:int64 unit=2:int64",
    "Label": "key=1:int64 str=2:int64 num=3:int64 num_unit=4:int64",
    "Sample": "location_id=1:*uint64 value=2:*int64 label=3:*Label",
    "Mapping": "id=1:uint64 memory_start=2:uint64 memory_limit=3:uint64 file_offset=4:uint64 filename=5:int64 "
    "build_id=6:int64 has_functions=7:bool has_filenames=8:bool has_line_numbers=9:bool has_inline_frames=10:bool",
    "Line": "function_id=1:uint64 line=2:int64",
    "Location": "id=1:uint64 mapping_id=2:uint64 address=3:uint64 line=4:*Line is_folded=5:bool",
    "Function": "id=1:uint64 name=2:int64 system_name=3:int64 filename=4:int64 start_line=5:int64",
    "Profile": "sample_type=1:*ValueType sample=2:*Sample mapping=3:*Mapping location=4:*Location "
    "function=5:*Function string_table=6:*string drop_frames=7:int64 keep_frames=8:int64 time_nanos=9:int64 "
    "duration_nanos=10:int64 period_type=11:ValueType period=12:int64 comment=13:*int64",
}


def read(data: bytes) -> Any:
    """The file as a message."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields

    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="p", syntax="proto3")
    scalars = {"int64": INT64, "uint64": UINT64, "bool": BOOL, "string": STRING}
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            field, _, rest = text.partition("=")
            number, _, kind = rest.partition(":")
            entry = message.field.add(name=field, number=int(number), label=3 if kind.startswith("*") else 1)
            kind = kind.removeprefix("*")
            entry.type = scalars.get(kind, MESSAGE)
            if kind not in scalars:
                entry.type_name = f".p.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Profile"))()
    found.ParseFromString(gzip.decompress(data))
    assert len(unknown_fields.UnknownFieldSet(found)) == 0
    return found


def stacks(message: Any) -> list[tuple[list[str], list[int], dict[str, object]]]:
    """(functions from the root on, values, labels) of each sample."""
    text = message.string_table
    functions = {function.id: text[function.name] for function in message.function}
    locations = {location.id: functions[location.line[0].function_id] for location in message.location}
    return [
        (
            [locations[number] for number in reversed(sample.location_id)],
            list(sample.value),
            {text[label.key]: text[label.str] or label.num for label in sample.label},
        )
        for sample in message.sample
    ]


def test_everything_is_read_as_it_was() -> None:
    message = read(write(work(), "pprof"))
    text = message.string_table
    assert text[0] == ""
    assert [(text[t.type], text[t.unit]) for t in message.sample_type] == [("cpu", "count")]
    assert message.time_nanos == 1_700_000_000_000_000_000 and message.duration_nanos == 2_000_000_000
    assert (text[message.period_type.type], text[message.period_type.unit]) == ("cpu", "nanoseconds")
    assert message.period == 10_000_000 and [text[number] for number in message.comment] == ["a note"]
    common = {"pid": 10, "tid": 10, "thread": "work10", "cgroup": "/work.slice"}
    assert stacks(message)[:2] == [
        (["main", "a"], [30], common | {"cpu": "0"}),
        (["main", "a", "b"], [50], common | {"tid": 11, "thread": "worker", "cpu": "1"}),
    ]
    assert [text[mapping.filename] for mapping in message.mapping] == ["/bin/work", "/x/a.py", "/lib/b.so"]
    assert [location.line[0].line for location in message.location] == [10, 7, 0, 0, 0]


def test_pprof_has_one_place_with_several_lines() -> None:
    message = read(write(with_lines(), "pprof"))
    text = message.string_table
    functions = {function.id: function for function in message.function}

    def lines(number: int) -> list[tuple[str, str, int]]:
        location = next(location for location in message.location if location.id == number)
        return [
            (text[functions[line.function_id].name], text[functions[line.function_id].filename], line.line)
            for line in location.line
        ]

    assert list(map(lines, message.sample[0].location_id)) == [
        [("inner", "/src/deep.h", 2), ("outer", "/src/work.c", 3), ("work", "/src/work.c", 5)],
        [("main", "/src/work.c", 10)],
    ]
    assert len(message.location) == 5
    work = message.mapping[0]
    assert work.has_functions and work.has_filenames and work.has_line_numbers and work.has_inline_frames


def test_times_have_two_values() -> None:
    message = read(write(work("nanoseconds"), "pprof"))
    text = message.string_table
    assert [(text[t.type], text[t.unit]) for t in message.sample_type] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    assert [values for _, values, _ in stacks(message)] == [[1, 30], [1, 50], [1, 20], [1, 5]]


def test_hostile_names_stay_names() -> None:
    message = read(write(hostile(), "pprof"))
    assert [functions[1] for functions, _, _ in stacks(message)] == [as_utf8(name) for name in HOSTILE]


def test_an_empty_profile() -> None:
    message = read(write(Profile("cpu", "samples"), "pprof"))
    assert len(message.sample) == 0 and len(message.sample_type) == 1


def test_pprof_reads_it(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go, whose `go tool pprof` reads these files, is not installed")
    (tmp_path / "work.pb.gz").write_bytes(write(work(), "pprof"))
    (tmp_path / "hostile.pb.gz").write_bytes(write(hostile(), "pprof"))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}

    def top(name: str) -> str:
        command = [go, "tool", "pprof", "-top", "-symbolize=none", str(tmp_path / name)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    lines = [line.split() for line in top("work.pb.gz").splitlines()]
    rows = {line[5]: (line[0], line[3]) for line in lines if len(line) == 6 and line[1].endswith("%")}
    assert rows == {"b": ("70", "70"), "a": ("30", "85"), "vfs_read": ("5", "5"), "main": ("0", "105")}
    assert "owned" in top("hostile.pb.gz")
