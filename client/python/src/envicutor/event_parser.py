"""
Owns reading server-sent events out of bytes, wherever they are cut: any end of line, comments, data of several lines, a byte order mark.
Never holds more than one event: what is larger than the bound is an error, and never an event that was cut.
Invariant: the same bytes are the same events, in whatever pieces they come.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Optional

from .errors import EnvicutorError

EVENT_CHARACTERS_MAX = 128 * 1024 * 1024
"""Characters of one event: a finished execution with all its output is one."""

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class StreamedEvent:
    """One event as it was sent."""

    name: str
    """`message` when it has none."""
    data: str
    id: str
    """The last id that was sent, with this event or before it; empty: none."""


class EventParser:
    """Takes bytes, gives events."""

    def __init__(self, characters_max: int = EVENT_CHARACTERS_MAX) -> None:
        self._characters_max = characters_max
        # Cuts one mark off the beginning, and keeps what is cut within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line: list[str] = []
        self._data: list[str] = []
        self._characters = 0
        self._name = ""
        self._id = ""
        self._is_after_return = False

    def take(self, content: bytes) -> list[StreamedEvent]:
        """The events that end within these bytes; raises `answer-too-large`."""
        events: list[StreamedEvent] = []
        text = self._decoder.decode(content)
        # A carriage return ended the last piece: a line feed behind it belongs to that.
        start = 1 if self._is_after_return and text.startswith("\n") else 0
        if text:
            self._is_after_return = text.endswith("\r")
        for end in _LINE_END.finditer(text, start):
            self._hold(text[start : end.start()])
            event = self._end_line()
            if event is not None:
                events.append(event)
            start = end.end()
        if start < len(text):
            self._hold(text[start:])
        return events

    def _hold(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > self._characters_max:
            raise EnvicutorError("answer-too-large", f"an event has more than {self._characters_max} characters")
        self._line.append(text)

    def _end_line(self) -> Optional[StreamedEvent]:
        line = "".join(self._line)
        self._line = []
        if not line:
            return self._end_event()
        field, _, value = line.partition(":")
        if field:
            self._set_field(field, value.removeprefix(" "))
        else:
            # A comment is forgotten; so is its weight.
            self._characters -= len(line)
        return None

    def _set_field(self, field: str, value: str) -> None:
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value

    def _end_event(self) -> Optional[StreamedEvent]:
        event = StreamedEvent(self._name or "message", "\n".join(self._data), self._id)
        is_empty = not self._data
        self._data = []
        self._name = ""
        self._characters = 0
        return None if is_empty else event
