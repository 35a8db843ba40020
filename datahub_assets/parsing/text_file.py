"""A text file as head, body and foot: lines before the records, the records, lines after them."""

from collections.abc import Iterator
from typing import BinaryIO

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.lines import Cut, TextBlock, text_blocks
from datahub_assets.parsing.options import TextFileOptions


class TextFile:
    """A file's ``head`` (read at once), ``body()`` (streamed) and ``foot`` (there once the body has been read).

    Args:
        stream: the file, from its start.
        options: encoding, lines to skip, footer.
        block_bytes: size of the body's blocks.
        head_lines: lines after ``skip_rows`` that belong to the head (the header of a CSV).
        cut: where a block may end (``lines.Cut``).
    """

    def __init__(
        self, stream: BinaryIO, options: TextFileOptions, block_bytes: int, head_lines: int = 0, cut: Cut | None = None
    ) -> None:
        control = options.control
        skip = max(options.skip_rows, 1) if control and control.at == "header" else options.skip_rows
        self._footer = max(options.footer_rows, 1) if control and control.at == "footer" else options.footer_rows
        self._blocks = text_blocks(stream, options.encoding, block_bytes, cut)
        self._first: TextBlock | None = None
        self.foot: list[str] = []
        self.head = self._read_head(skip + head_lines)
        if len(self.head) < skip + head_lines or not (self.head or self._first):
            raise no_records(
                "end of file" if self.head else "an empty file", f"{skip + head_lines} lines, then records"
            )

    def _read_head(self, count: int) -> list[str]:
        head: list[str] = []
        for block in self._blocks:
            *lines, rest = block.data.split(b"\n", count - len(head))
            head += [line.decode() for line in lines]
            if rest:
                self._first = TextBlock(rest, block.first_line + len(lines))
            if rest or len(head) >= count:
                break
        return head

    def body(self) -> Iterator[TextBlock]:
        """The blocks between head and foot."""
        held = TextBlock(b"", 1)
        for block in self._rest():
            if not self._footer:
                yield block
                continue
            data = held.data + block.data
            first = held.first_line if held.data else block.first_line
            cut = _before_last_lines(data, self._footer)
            if cut:
                yield TextBlock(data[:cut], first)
            held = TextBlock(data[cut:], first + data.count(b"\n", 0, cut))
        self.foot = [line.decode() for line in held.lines() if line.strip()]

    def _rest(self) -> Iterator[TextBlock]:
        if self._first:
            yield self._first
        yield from self._blocks


def no_records(got: str, expected: str, where: str | None = None) -> DeliveryMalformed:
    """The error for a file with nothing in it."""
    return DeliveryMalformed(
        "File has no records", where=where, got=got, expected=expected, remedy="Ask for the file again"
    )


def _before_last_lines(data: bytes, count: int) -> int:
    """Bytes before the last ``count`` lines that are not blank."""
    end = len(data)
    while count and end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        count -= bool(data[start:end].strip())
        end = start
    return end
