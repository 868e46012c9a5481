"""A compiled program, live: load, attach, drain, decode, merge maps, detach.

    with Session(bundle, kernel, sinks=[TextSink(1)]) as session:
        session.run()

or `for event in session`, `async for event in session`, `session.wait(5)`.
"""

from kernscope.runtime.errors import RefusedError, SessionError
from kernscope.runtime.maps import MapView
from kernscope.runtime.session import Session

__all__ = ["MapView", "RefusedError", "Session", "SessionError"]
