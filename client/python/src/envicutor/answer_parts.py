"""
Owns what answers can do beyond holding their members: the bytes behind texts, and whether something is over.
Never decodes bytes into characters: a piece of output may end within one.
"""

import base64
import binascii
from typing import Literal, Optional

from .errors import EnvicutorError


def _to_bytes(text: str, encoding: str) -> bytes:
    if encoding == "utf8":
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EnvicutorError("answer-malformed", "output that should be base64 is not") from error


class ScriptOutput:
    """What a script wrote, whether or not it is text."""

    stdout: str
    stdout_encoding: Literal["utf8", "base64"]
    stderr: str
    stderr_encoding: Literal["utf8", "base64"]

    @property
    def stdout_bytes(self) -> bytes:
        """The bytes of standard output; `stdout` itself is base64 where they are no UTF-8."""
        return _to_bytes(self.stdout, self.stdout_encoding)

    @property
    def stderr_bytes(self) -> bytes:
        """The bytes of standard error; `stderr` itself is base64 where they are no UTF-8."""
        return _to_bytes(self.stderr, self.stderr_encoding)


class OutputPiece:
    """A piece of what a program writes."""

    data: str
    encoding: Literal["base64"]

    @property
    def output(self) -> bytes:
        """The bytes; they may end within a character."""
        return _to_bytes(self.data, self.encoding)


class Ending:
    """What ends."""

    finished_at: Optional[str]

    @property
    def is_over(self) -> bool:
        """Has it ended, however?"""
        return self.finished_at is not None
