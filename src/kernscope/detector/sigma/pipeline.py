"""pySigma's processing pipeline: a rule's fields and values become those of our events, before the condition is built.

Records of auditd: what `a0` or `name` is depends on the kind of record, which another field of the same selection
says (`type`). A selection without `type` is about the kind that the rule's other selections name, or that has such
fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from sigma.conditions import ConditionAND, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations.base import PreprocessingTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaFieldReference, SigmaNumber, SigmaString, SigmaType, SpecialChars

from kernscope.detector.sigma.mapping import (
    CREATED,
    LOG_FIELD,
    RECORDS,
    REMOVED,
    VALUES,
    OnlyOf,
    Origin,
    Places,
)

__all__ = ["ToEvents", "make_pipeline"]

_ARGUMENT = re.compile(r"a(\d{1,3})")
_MAPPED = SigmaDetectionItem | SigmaDetection


@dataclasses.dataclass
class ToEvents(PreprocessingTransformation):
    """Changes a rule of one log source; `unknown` collects the fields that nothing here has."""

    origin: Origin
    audited: bool
    unknown: list[str]

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        super().apply(rule)
        assert isinstance(rule, SigmaRule)
        detections = list(rule.detection.detections.values())
        kinds = [kind for detection in detections for kind in _kinds(detection)]
        for detection in detections:
            self.change(detection, list(dict.fromkeys(kinds)), bool(kinds))

    def change(self, detection: SigmaDetection, kinds: list[str], told: bool) -> None:
        """`kinds` are those of the records that the rule is about; `told` whether something says so already."""
        own = _own_kinds(detection)
        origin, kind = self.origin, ""
        if self.audited:
            kind = _kind(detection, own or kinds)
            origin = RECORDS.get(kind, self.origin)
        items = detection.detection_items
        fields = {item.field for item in items if isinstance(item, SigmaDetectionItem)}
        for number, item in enumerate(items):
            if isinstance(item, SigmaDetection):
                self.change(item, own or kinds, told)
            elif self.audited and item.field == "type":
                items[number] = _record_types(item, bool(fields & {"syscall", "SYSCALL"}))
            else:
                items[number] = self.item(item, origin, kind)
        has_fields = bool(fields - {None, "type", "syscall", "SYSCALL"})
        if self.audited and not told and has_fields and origin.events and not fields & {"syscall", "SYSCALL"}:
            items.append(_one_of("evt.type", origin.events))

    def item(self, item: SigmaDetectionItem, origin: Origin, kind: str) -> _MAPPED:
        if item.field is None:
            item.value = [_anywhere(value) for value in item.value]
            return _spread(item, origin.keywords)
        if item.field == "nametype" and kind == "PATH":
            return _path_type(item)
        argument = _ARGUMENT.fullmatch(item.field) if kind in ("EXECVE", "SYSCALL") else None
        if argument is not None and kind == "EXECVE":
            return _spread(item, (f"proc.argv[{int(argument.group(1))}]",))
        if argument is not None:
            # The kernel writes a call's arguments in hexadecimal, without `0x`.
            item.value = [_from_hexadecimal(value) for value in item.value]
            return _spread(item, (f"evt.rawarg[{int(argument.group(1))}]",))
        places = origin.fields.get(item.field)
        if places is None:
            self.unknown.append(item.field)
            return _spread(item, (_log_field(item.field),))
        item.value = [self.reference(value, origin) for value in item.value]
        names = VALUES.get(item.field)
        if names is not None:
            words = [word for value in item.value for word in names.get(str(value).lower(), (str(value),))]
            item.value = [SigmaString(word) for word in words]
        return _spread(item, places)

    def reference(self, value: SigmaType, origin: Origin) -> SigmaType:
        """`fieldref`: the other field is ours too."""
        if not isinstance(value, SigmaFieldReference):
            return value
        places = origin.fields.get(value.field, ())
        if not places or isinstance(places[0], OnlyOf):
            self.unknown.append(value.field)
            return SigmaFieldReference(_log_field(value.field), value.starts_with, value.ends_with)
        return SigmaFieldReference(places[0], value.starts_with, value.ends_with)


def make_pipeline(transformation: ToEvents) -> ProcessingPipeline:
    return ProcessingPipeline([ProcessingItem(transformation)])


def _log_field(name: str) -> str:
    return f"{LOG_FIELD}[{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}]"


def _one_of(field: str, words: Iterable[str]) -> SigmaDetectionItem:
    return SigmaDetectionItem(field, [], [SigmaString(word) for word in words])


def _spread(item: SigmaDetectionItem, places: Places) -> _MAPPED:
    """The item for each of the places; one of them is enough, or all where it is negated."""
    found: list[SigmaDetectionItem | SigmaDetection] = []
    for place in places:
        if isinstance(place, OnlyOf):
            inner = dataclasses.replace(item, field=place.field, auto_modifiers=False)
            found.append(
                SigmaDetection([_one_of("evt.type", place.events), inner], item_linking=ConditionAND)
            )
        else:
            found.append(dataclasses.replace(item, field=place, auto_modifiers=False))
    if len(found) == 1:
        return found[0]
    return SigmaDetection(found, item_linking=ConditionAND if item.negated else ConditionOR)


def _anywhere(value: SigmaType) -> SigmaType:
    """A keyword may stand anywhere in a text."""
    if isinstance(value, SigmaNumber):
        value = SigmaString(str(value))
    if not isinstance(value, SigmaString):
        return value
    if not value.startswith(SpecialChars.WILDCARD_MULTI):
        value = SpecialChars.WILDCARD_MULTI + value
    if not value.endswith(SpecialChars.WILDCARD_MULTI):
        value = value + SpecialChars.WILDCARD_MULTI
    return value


def _from_hexadecimal(value: SigmaType) -> SigmaType:
    try:
        return SigmaNumber(int(str(value), 16))
    except ValueError:
        return value


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _kinds(detection: SigmaDetection) -> list[str]:
    """The kinds of records that a selection and those within it name."""
    return [str(v).upper() for item in _items(detection) if item.field == "type" for v in item.value]


def _own_kinds(detection: SigmaDetection) -> list[str]:
    own = [i for i in detection.detection_items if isinstance(i, SigmaDetectionItem) and i.field == "type"]
    return [str(value).upper() for item in own for value in item.value]


def _kind(detection: SigmaDetection, named: list[str]) -> str:
    fields = {item.field for item in _items(detection)}
    known = [kind for kind in named if kind in RECORDS]
    if len(known) == 1 or (known and fields <= {None, "type"}):
        return known[0]
    if named and not known:
        return named[0]
    for kind, typical in (("PATH", {"name", "nametype"}), ("SYSCALL", {"syscall", "SYSCALL", "exe", "comm"})):
        if fields & typical:
            return kind
    return "EXECVE"


def _record_types(item: SigmaDetectionItem, call_named: bool) -> _MAPPED:
    """`type: PATH` → the events that have such records; a kind that none has stays a field of the log."""
    kinds = [str(value).upper() for value in item.value]
    events = [event for kind in kinds if kind in RECORDS for event in RECORDS[kind].events]
    if call_named and "SYSCALL" in kinds:
        item.value = [SigmaString("*")]
        return dataclasses.replace(item, field="evt.type", auto_modifiers=False)
    if events:
        item.value = [SigmaString(event) for event in dict.fromkeys(events)]
        return dataclasses.replace(item, field="evt.type", auto_modifiers=False)
    return _spread(item, (_log_field("type"),))


def _path_type(item: SigmaDetectionItem) -> _MAPPED:
    """`nametype: CREATE` → calls that make files, and opening that did."""
    opened = SigmaDetectionItem("evt.is_open_create", [], [SigmaString("true")])
    created = SigmaDetection([_one_of("evt.type", CREATED), opened], item_linking=ConditionOR)
    known: dict[str, _MAPPED] = {"CREATE": created, "DELETE": _one_of("evt.type", REMOVED)}
    found = [known.get(str(v).upper(), _spread(item, (_log_field("nametype"),))) for v in item.value]
    return found[0] if len(found) == 1 else SigmaDetection(found, item_linking=ConditionOR)
