"""HTTP/2 spoken by hand, so that a test can say what no library would: frames, and headers as literals (RFC 7541)."""

import ssl
import struct
from collections.abc import Sequence

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_LARGEST = 16_384
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Connection:
    """One connection; the answer to a request is its status, or what ended it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        assert sock.selected_alpn_protocol() == "h2"
        self._sock, self._next = sock, 1
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def ask_slowly(self, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[str, bool]:
        """Send the body frame by frame; return the status, and whether the stream was reset when it had its answer."""
        stream, self._next = self._next, self._next + 2
        self._sock.sendall(frame(HEADERS, END_HEADERS, stream, _block(headers)))
        parts = [body[at : at + _LARGEST] for at in range(0, len(body), _LARGEST)]
        for number, part in enumerate(parts, 1):
            self._sock.sendall(frame(DATA, END_STREAM if number == len(parts) else 0, stream, part))
        answer, reset, ended = "", False, False
        while True:
            kind, flags, of, payload = self._read()
            if kind == GOAWAY:
                return "goaway", True
            if of == stream:
                reset |= kind == RST_STREAM
                answer = status(payload) if kind == HEADERS else answer
                if kind in (HEADERS, DATA) and flags & END_STREAM and not ended:
                    ended = True
                    # Answered after all that comes for the stream.
                    self._sock.sendall(frame(PING, 0, 0, bytes(8)))
            if kind == PING and flags & ACK:
                return answer, reset

    def ask(self, headers: Sequence[tuple[str, str]], body: bytes = b"") -> str:
        """Return the status of the answer, `reset` or `goaway`."""
        stream, self._next = self._next, self._next + 2
        self._sock.sendall(
            frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream, _block(headers))
            + (frame(DATA, END_STREAM, stream, body) if body else b"")
        )
        while True:
            kind, _, of, payload = self._read()
            if kind == GOAWAY:
                return "goaway"
            if kind == RST_STREAM and of == stream:
                return "reset"
            if kind == HEADERS and of == stream:
                return status(payload)

    def _read(self) -> tuple[int, int, int, bytes]:
        head = self._exactly(9)
        if not head:
            return GOAWAY, 0, 0, b""
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        return kind, flags, stream, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            part = self._sock.recv(length - len(found))
            if not part:
                return b""
            found += part
        return found


def _block(headers: Sequence[tuple[str, str]]) -> bytes:
    """Return headers, each as `literal without indexing, new name`: one byte before it."""
    return b"".join(b"\x00" + literal(name) + literal(value) for name, value in headers)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame (RFC 9113 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(text: str) -> bytes:
    """Return a string as it is, its length before it (RFC 7541 5.2)."""
    data = text.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, found = len(data) - 127, bytearray([127])
    while rest >= 128:
        found.append(rest % 128 + 128)
        rest //= 128
    return bytes(found) + bytes([rest]) + data


def status(block: bytes) -> str:
    """Return the status, which is the first header: an entry of the static table, or a literal with its name there."""
    at = 0
    while block[at] & 0xE0 == 0x20:
        # The size of the table, which we do not use.
        at += 1
    known = {0x88: "200", 0x89: "204", 0x8A: "206", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}
    if block[at] in known:
        return known[block[at]]
    length = block[at + 1]
    value = block[at + 2 : at + 2 + (length & 0x7F)]
    return digits(value) if length & 0x80 else value.decode()


def digits(value: bytes) -> str:
    """Undo the Huffman code of digits (RFC 7541, appendix B)."""
    codes = {"00000": "0", "00001": "1", "00010": "2"}
    codes |= {f"{0b011001 + number:06b}": str(number + 3) for number in range(7)}
    bits, found, current = "".join(f"{byte:08b}" for byte in value), "", ""
    for bit in bits:
        current += bit
        if current in codes:
            found, current = found + codes[current], ""
    return found
