"""Probes under load for as long as asked: every event arrives or is reported as lost.

The environment variable KERNSCOPE_SOAK_S says how many seconds each lasts, for instance 60; without it nothing is run.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import Tracer, lost_total, needs_tracing

from kernscope.kernel import Kernel

SECONDS = int(os.environ.get("KERNSCOPE_SOAK_S", "0"))
pytestmark = [
    needs_tracing,
    pytest.mark.skipif(SECONDS == 0, reason="minutes of load: KERNSCOPE_SOAK_S=60"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]

# Does three things as often as it can on two threads, and prints how often it did each.
WORK = r"""
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
static long end, counts[2][3];
static void *work(void *p)
{
    long *count = p;
    char byte;
    int zero = open("/dev/zero", O_RDONLY);
    prctl(PR_SET_NAME, "ks-soak");
    while (time(NULL) < end) {
        for (int i = 0; i < 8; i++) {
            count[0] += read(zero, &byte, 1);
            getpriority(PRIO_PROCESS, 0);
            count[1]++;
        }
        close(open("/dev/null", O_RDONLY));
        count[2]++;
    }
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t threads[2];
    end = time(NULL) + atol(argv[1]);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, counts[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%ld %ld %ld\n", counts[0][0] + counts[1][0], counts[0][1] + counts[1][1], counts[0][2] + counts[1][2]);
    return 0;
}
"""
CASES = {
    "kprobe": ("kprobe:vfs_read", 0, "kprobe"),
    "fentry": ("fentry:vfs_read", 0, "fentry"),
    "uprobe": ("uprobe:libc:getpriority", 1, "uprobe"),
    "lsm": ('lsm:file_open /str(args.file->f_path.dentry->d_name.name) == "null"/', 2, "lsm"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_lost_is_reported(name: str, tmp_path: Path) -> None:
    probe, which, feature = CASES[name]
    if not Kernel().has_feature(feature):
        pytest.skip(f"this kernel has no {name}")
    work = tmp_path / "work"
    subprocess.run(["gcc", "-O1", "-pthread", "-o", work, "-x", "c", "-"], input=WORK, text=True, check=True)
    filter = '/comm == "ks-soak"/'
    if "/" in probe:
        probe, _, own = probe.partition(" ")
        filter = f'/comm == "ks-soak" && {own.strip("/")}/'
    with Tracer("-e", f'{probe} {filter} {{ @n = count(); printf("e\\n"); }}') as tracer:
        made = int(subprocess.run([work, str(SECONDS)], capture_output=True, text=True).stdout.split()[which])
        done = tracer.stop(timeout=600)
    lines = done.lines.count("e")
    counted = next(int(line.partition(": ")[2]) for line in done.lines if line.startswith("@n: "))
    print(f"{name}: {made} made, {counted} counted, {lines} printed, {lost_total(done.err)} reported as lost")
    assert made > 0 and lines + lost_total(done.err) == counted
    # A program that the kernel skipped is reported, too, but for the whole machine.
    assert counted == made or "missed-events" in done.err
