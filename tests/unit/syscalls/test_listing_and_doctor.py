"""Listing and doctor, as text and JSON."""

import json

from kernscope.syscalls import Report, doctor_json, doctor_text, listing_text
from kernscope.syscalls.doctor import FeatureState


def test_listing_in_bpftrace_format() -> None:
    assert listing_text(["a:b", "c:d"]) == "a:b\nc:d\n"
    fields = {"a:b": [("int", "dfd"), ("const char *", "filename"), ("char[16]", "comm")]}
    # As `bpftrace -lv` prints it.
    assert listing_text(["a:b"], fields.__getitem__) == (
        "a:b\n    int dfd\n    const char * filename\n    char comm[16]\n"
    )


def report(works: bool) -> Report:
    features = [
        FeatureState("bpf", "bpf(2)", "" if works else "Operation not permitted", needs="CAP_BPF", main=True),
        FeatureState("kprobe", "kprobes", "not there", needs="CONFIG_KPROBES", instead="tracepoints"),
    ]
    return Report([("kernel", "Linux 6.1 x86_64")], features)


def test_doctor_says_why_and_what_would_help() -> None:
    text = doctor_text(report(True))
    assert "kernel  Linux 6.1 x86_64\n" in text
    assert "yes  bpf(2)\n" in text
    assert (
        "no   kprobes\n     why: not there\n     needs: CONFIG_KPROBES\n     instead: tracepoints\n" in text
    )
    assert text.endswith("works here: try `kernscope syscalls`.\n")
    assert "\x1b" not in text and "\x1b[32m" in doctor_text(report(True), color=True)


def test_doctor_when_the_main_job_does_not_work() -> None:
    assert report(True).main_job_works and not report(False).main_job_works
    assert doctor_text(report(False)).endswith("does not work here; missing: bpf(2).\n")


def test_doctor_json() -> None:
    parsed = json.loads(doctor_json(report(False)))
    assert parsed["main_job_works"] is False
    assert parsed["features"]["kprobe"] == {
        "title": "kprobes",
        "works": False,
        "why": "not there",
        "needs": "CONFIG_KPROBES",
        "instead": "tracepoints",
        "for_main_job": False,
    }
