"""Processes that write to a store until something happens to them: `store_worker.py MODE PATH`."""

import os
import resource
import signal
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from made_alerts import INIT, alert, process

from kernscope.detector.alert import Alert
from kernscope.detector.delivery import Delivery
from kernscope.detector.sinks.base import Sink
from kernscope.detector.store import AlertQuery, Store, StoredAlerts, StoreError


class Shown(Sink):
    """Prints the numbers of alerts that are shown, at once."""

    def __init__(self) -> None:
        super().__init__("shown")

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        self.written += 1
        os.write(1, f"{number}\n".encode())

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def different(number: int) -> Alert:
    return alert("r", [process(2000 + number, "x"), INIT], output=f"alert {number} " + "and more " * 50)


def stream(path: str) -> None:
    delivery = Delivery(Store(path), [Shown()])
    for number in range(10**6):
        delivery.take(different(os.getpid() * 10**6 + number))
        delivery.wait()


def full(path: str, limit_bytes: int = 0) -> None:
    """Show 1,000 alerts while the disk gets full; print how many were shown, stored and counted; then be killed."""
    store, sink = Store(path), Shown()
    sink.take = lambda *_: setattr(sink, "written", sink.written + 1)  # type: ignore[method-assign]
    if limit_bytes:
        # A file may not grow beyond: writing fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    delivery = Delivery(store, [sink])
    for number in range(1000):
        delivery.take(different(number))
        if number % 20 == 0:
            delivery.wait()
    delivery.wait()
    reader = StoredAlerts(path)
    stored = reader.count(AlertQuery())
    lost = struct.unpack_from("<Q", Path(path + ".lost").read_bytes(), 8)[0]
    os.write(1, f"{sink.written} {stored} {lost}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def already_full(path: str) -> None:
    """A detector was killed, and its disk is full when the next one starts; there is room again later."""
    if (child := os.fork()) == 0:
        _ = Store(path)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    filler = Path(path).with_name("filler")
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    told: list[str] = []
    delivery = Delivery(Store(path, tell=told.append), [Shown()], tell=told.append)
    for number in range(5):
        delivery.take(different(number))
    delivery.wait()
    lost = struct.unpack_from("<Q", Path(path + ".lost").read_bytes(), 8)[0]
    filler.unlink()
    delivery.close()
    print(lost, StoredAlerts(path).count(AlertQuery()), *told, sep="\n")


def readonly(path: str) -> None:
    try:
        Store(path)
    except StoreError as problem:
        print(str(problem).replace(f" `{path}`", ""))
    print(f"{StoredAlerts(path).count(AlertQuery())} alerts")


MODES = {"stream": stream, "full": full, "limited": lambda path: full(path, 300_000), "readonly": readonly}
MODES["already-full"] = already_full

if __name__ == "__main__":
    MODES[sys.argv[1]](sys.argv[2])
