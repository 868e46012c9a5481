"""`webhook`: the alert is posted to a server; retries and the spool are those of the sink of that name."""

from __future__ import annotations

from kernscope.detector.reactions.base import Context, StepKind
from kernscope.detector.sinks import KINDS, kind_named, make

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.detector.alert import Alert
    from kernscope.detector.sinks import AlertSink

__all__ = ["webhook_kind"]

_SINK = "webhook"
assert _SINK in KINDS


class _Webhook:
    def __init__(self, values: Mapping[str, object], context: Context) -> None:
        self.context = context
        self.values = {key: value for key, value in values.items() if value is not None}
        self._sink: AlertSink | None = None

    def would(self, alert: Alert) -> str:
        return "post the alert to the webhook"

    def prepare(self) -> None:
        self._sink = make({"kind": _SINK, **self.values})
        if hasattr(self._sink, "tell"):
            self._sink.tell = self.context.tell

    def act(self, alert: Alert, incident: int) -> str:
        if self._sink is None:
            self.prepare()
        assert self._sink is not None
        self._sink.take(alert, incident)
        return "posts the alert to the webhook"

    def tick(self) -> None:
        if self._sink is not None:
            self._sink.flush()

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()


def webhook_kind() -> StepKind:
    """Its settings are the sink's."""
    return StepKind(
        _SINK,
        "Post the alert to a server.",
        kind_named(_SINK).settings,
        _Webhook,
        enforces=False,
    )
