"""A hierarchical tagger's heads and cells by its fields: for its configuration, and for the runtime without torch."""

from __future__ import annotations

from typing import Any, NamedTuple


class HeadShape(NamedTuple):
    """What one head of a tagger writes, and in which language's words it reads.

    Attributes:
        tags: in the order of their ids.
        tag_scheme: how they spell spans.
        language: whose words and word encoder are under the head; None where all heads have the same.
    """

    tags: list[str]
    tag_scheme: str
    language: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `heads` has it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class TaggerShape:
    """Reads the fields of a configuration; whoever adds it has these, and `tags`, those of a tagger of one head."""

    def cell(self, encoder: str) -> str:
        """The cell of a recurrent encoder, by its name in the configuration."""
        own: Any = self
        options = {
            "gru": (own.gru_reset == "before", "gru-reset-before"),
            "sru": (own.sru_gates == "state", "sru-state-gates"),
            "linear-rnn": (own.linear_rnn == "plain", "linear-rnn-plain"),
        }
        chosen, cell = options.get(encoder, (False, ""))
        return cell if chosen else encoder

    @property
    def head_names(self) -> list[str | None]:
        """The names of the heads, in the order that config.json has them in; `[None]` for a tagger of one."""
        own: Any = self
        heads = own.heads  # once: a configuration takes its time over each field
        return [None] if heads is None else [*sorted(heads)]

    def language(self, name: str | None = None) -> str | None:
        """The language whose words a head reads; None where all heads read the same.

        Raises:
            ValueError: there is no such head.
        """
        own: Any = self
        return None if name is None and own.heads is None else self.head(name).language

    def head(self, name: str | None = None) -> HeadShape:
        """What a head writes and reads; None for the head of a tagger that has but one.

        Raises:
            ValueError: there is no such head; the message has those that are.
        """
        own: Any = self
        heads = own.heads
        if heads is None:
            if name is not None:
                raise ValueError(f"This tagger has one head, without a name, and none {name!r}. Leave the name out.")
            return HeadShape(own.tags, own.tag_scheme)
        if name not in heads:
            found = "This tagger has several heads" if name is None else f"This tagger has no head {name!r}"
            raise ValueError(f"{found}. Choose one of {', '.join(sorted(heads))}.")
        return HeadShape(**heads[name])
