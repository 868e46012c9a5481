"""Values of a mapping's keys, with complaints where they have another type."""

from __future__ import annotations

from collections.abc import Collection

from kernscope.detector.placed_text import PlacedText
from kernscope.detector.yaml_source import YamlList, YamlMap, YamlNode, YamlScalar
from kernscope.diagnostics import Diagnostic, Span, error, suggest, warning

__all__ = ["ItemReader"]

_TRUTH = {"true": True, "false": False}


class ItemReader:
    """Appends what is wrong to `diagnostics`."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics

    def report(self, code: str, message: str, span: Span, *, help: str | None = None) -> None:
        self.diagnostics.append(error(code, message, span, help=help))

    def known_keys(self, node: YamlMap, keys: Collection[str]) -> None:
        for key, span in node.keys.items():
            if key not in keys:
                near = suggest(key, keys)
                help = f"did you mean `{near}`?" if near else None
                self.diagnostics.append(
                    warning(
                        "unknown-rule-key", f"there is no key `{key}` here; it is ignored", span, help=help
                    )
                )

    def text(self, node: YamlMap, key: str, *, empty: bool = False) -> str:
        value = node.entries.get(key)
        if isinstance(value, YamlScalar) and (value.value.strip() or empty):
            return value.value.strip()
        if value is not None:
            what = "is empty" if isinstance(value, YamlScalar) else "is a text"
            self.report("bad-rule", f"`{key}` {what}", value.span)
        return ""

    def placed(self, node: YamlMap, key: str) -> PlacedText | None:
        """A text with its places; None, with a complaint, where there is none."""
        value = node.entries.get(key)
        if value is None:
            self.report("bad-rule", f"`{key}` is missing", next(iter(node.keys.values())))
            return None
        if not isinstance(value, YamlScalar) or not value.value.strip():
            what = "is empty" if isinstance(value, YamlScalar) else "is a text"
            self.report("bad-rule", f"`{key}` {what}", value.span)
            return None
        return PlacedText(value.value, value.span)

    def truth(self, node: YamlMap, key: str, default: bool) -> bool:
        value = node.entries.get(key)
        if value is None:
            return default
        word = value.value.lower() if isinstance(value, YamlScalar) else ""
        if word not in _TRUTH:
            self.report("bad-rule", f"`{key}` is `true` or `false`", value.span)
        return _TRUTH.get(word, default)

    def scalars(self, node: YamlMap, key: str) -> list[YamlScalar] | None:
        value = node.entries.get(key)
        if value is None:
            self.report("bad-rule", f"`{key}` is missing", next(iter(node.keys.values())))
            return None
        return self.flat(value, f"`{key}` is a list of texts")

    def flat(self, value: YamlNode, message: str) -> list[YamlScalar] | None:
        if isinstance(value, YamlScalar) and not value.value:
            return []  # `items:` with nothing behind it
        if not isinstance(value, YamlList):
            self.report("bad-rule", message, value.span)
            return None
        items: list[YamlScalar] = []
        for item in value.items:
            if isinstance(item, YamlList):
                items += self.flat(item, message) or []
            elif isinstance(item, YamlScalar):
                items.append(item)
            else:
                self.report("bad-rule", message, item.span)
                return None
        return items
