"""
Owns files on their way: sent once, fetched in pieces that go on where a connection broke. Never keeps one.
Invariant: the same bytes are the same file, so that sending them again changes nothing; what can be read only once is sent only once.
"""

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Optional, Union, cast

from .answers import parse_json, to_answer
from .asking import Asker, path_of
from .errors import EnvicutorError
from .exchange import Call, Close, Emit, Read, Source, Steps
from .models import StoredFile

Uploadable = Union[str, bytes, Path, BinaryIO, Iterable[bytes]]
"""What can be sent: text, bytes, a file of this machine, or pieces as they come."""

_UPLOAD_SECONDS_MAX = 150.0
"""The server answers when it has all of it, which may take it two minutes."""
_PIECE_BYTES = 256 * 1024


def to_sent(content: Union[Uploadable, AsyncIterable[bytes]]) -> Union[bytes, Source]:
    """How it is sent."""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, Path):
        return Source(lambda: _read_path(content), is_repeatable=True)
    if isinstance(content, AsyncIterable):
        return Source(lambda: content, is_repeatable=False)
    if hasattr(content, "read"):
        return _to_file_source(cast(BinaryIO, content))
    return Source(lambda: iter(content), is_repeatable=False)


def _read_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _pieces_of(file)


def _to_file_source(file: BinaryIO) -> Source:
    if not file.seekable():
        return Source(lambda: _pieces_of(file), is_repeatable=False)
    start = file.tell()

    def reopen() -> Iterator[bytes]:
        file.seek(start, os.SEEK_SET)
        return _pieces_of(file)

    return Source(reopen, is_repeatable=True)


def _pieces_of(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def upload(asker: Asker, content: Union[bytes, Source]) -> Steps[StoredFile]:
    """Sends a file."""
    is_repeatable = isinstance(content, bytes) or content.is_repeatable
    call = Call(
        "POST",
        path_of("files"),
        content=content,
        content_type="application/octet-stream",
        silence_seconds_max=_UPLOAD_SECONDS_MAX,
        is_repeated=lambda _: is_repeatable,
    )
    try:
        heard = yield from asker.insist(call)
    except EnvicutorError as error:
        if is_repeatable or not error.is_retryable:
            raise
        detail = f"{error.detail}; a stream can't be sent again: make another one"
        raise EnvicutorError("stream-consumed", detail) from error
    return to_answer(StoredFile, parse_json(heard.content))


def download(asker: Asker, id: str) -> Steps[None]:
    """Emits the pieces of a file as they come."""
    trouble = asker.trouble()
    at = 0
    while True:
        failure: Optional[EnvicutorError] = None
        try:
            headers = {"range": f"bytes={at}-"} if at else {}
            heard = yield from asker.open(Call("GET", path_of("files", id), headers=headers))
            # A file of an id never changes; who does not know ranges begins anew.
            known = 0 if heard.status == 206 else at
        except EnvicutorError as error:
            # All of it was there, and only the end of the connection was not.
            if error.status == 416 and at > 0:
                return
            failure = error
        while failure is None:
            try:
                piece: Optional[bytes] = yield Read()
            except EnvicutorError as error:
                failure = error
                break
            if piece is None:
                return
            trouble.end()
            fresh = piece[min(known, len(piece)) :]
            known -= len(piece) - len(fresh)
            at += len(fresh)
            if fresh:
                yield Emit(fresh)
        yield Close()
        yield from trouble.wait(failure, None)
