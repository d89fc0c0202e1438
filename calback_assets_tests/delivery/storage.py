"""A Google Cloud Storage of one's own, in memory: the part of its JSON protocol that an export speaks.

Uploads in one request and in several, listing, downloads and deletion; checksums are held to. It knows neither rights
nor generations that a request may ask for.
"""

import base64
import email
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c


@dataclass
class Storage:
    """What the server keeps, and what it was asked."""

    url: str
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    """How each object came: in one request (multipart), or in several (resumable)."""
    broken: bool = False
    """Whether an upload in several requests is broken off after the first."""


@contextmanager
def running_storage() -> Iterator[Storage]:
    """A server at a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    storage = Storage(f"http://127.0.0.1:{server.server_port}")
    _Handler.storage = storage
    _Handler.sessions = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: Storage
    sessions: dict[str, dict[str, Any]]

    def do_GET(self) -> None:
        bucket, name, query = self._asked()
        if bucket is None:
            return
        objects = self.storage.buckets[bucket]
        if name is None:
            prefix = query.get("prefix", [""])[0]
            self._answer(200, {"items": [_described(bucket, n, c) for n, c in objects.items() if n.startswith(prefix)]})
        elif name not in objects:
            self._answer(404, {"error": {"code": 404, "message": f"No such object: {name}"}})
        else:
            self._answer(200, objects[name])

    def do_DELETE(self) -> None:
        bucket, name, _ = self._asked()
        if bucket is not None and name is not None:
            self._answer(204 if self.storage.buckets[bucket].pop(name, None) is not None else 404, b"")

    def do_POST(self) -> None:
        body = self._body()
        bucket, _, query = self._asked()
        if bucket is None:
            return
        kind = query["uploadType"][0]
        self.storage.uploads.append(kind)
        if kind == "resumable":
            number = str(len(self.sessions))
            self.sessions[number] = {"bucket": bucket, "content": b"", **json.loads(body)}
            self._answer(200, b"", Location=f"{self.storage.url}/upload/session/{number}")
            return
        message = email.message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\n\n" + body)
        metadata, content = (part.get_payload(decode=True) for part in message.get_payload())
        self._keep(bucket, json.loads(metadata), content)

    def do_PUT(self) -> None:
        body = self._body()
        session = self.sessions[self.path.rpartition("/")[2]]
        if self.storage.broken and session["content"]:
            self._answer(403, {"error": {"code": 403, "message": "denied"}})
            return
        session["content"] += body
        total = self.headers["Content-Range"].rpartition("/")[2]
        if total == "*" or len(session["content"]) < int(total):
            self._answer(308, b"", Range=f"bytes=0-{len(session['content']) - 1}")
            return
        self._keep(session["bucket"], session, session["content"])

    def _keep(self, bucket: str, metadata: dict[str, Any], content: bytes) -> None:
        if metadata.get("crc32c", _crc32c(content)) != _crc32c(content):
            self._answer(400, {"error": {"code": 400, "message": "checksum"}})
            return
        self.storage.buckets[bucket][metadata["name"]] = content
        self._answer(200, _described(bucket, metadata["name"], content))

    def _asked(self) -> tuple[str | None, str | None, dict[str, list[str]]]:
        """Bucket, object and query; an answer is given where there is no such bucket."""
        address = urlsplit(self.path)
        found = re.fullmatch(r"(?:/upload|/download)?/storage/v1/b/([^/]+)/o(?:/(.+))?", address.path)
        if found is None:
            # The client looks at the bucket itself for its own traces, which an export needs no right for.
            self._answer(403, {"error": {"code": 403, "message": "denied"}})
            return None, None, {}
        if found[1] not in self.storage.buckets:
            self._answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
            return None, None, {}
        return found[1], unquote(found[2]) if found[2] else None, parse_qs(address.query)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, code: int, content: object, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _described(bucket: str, name: str, content: bytes) -> dict[str, str]:
    return {"bucket": bucket, "name": name, "size": str(len(content)), "crc32c": _crc32c(content), "generation": "1"}


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
