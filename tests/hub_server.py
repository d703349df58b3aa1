"""As much of a Hugging Face Hub as `load_dataset` reads, on loopback, over a folder of `owner/name/files`."""

import json
import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Answers the API and the files of data sets."""

    root: Path
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Says nothing."""

    def _send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value):
        self._send(200, json.dumps(value).encode(), Content_Type="application/json")

    def _entries(self, name, under="", recursive=True):
        folder = self.root / name
        found = sorted((folder / under).rglob("*") if recursive else (folder / under).glob("*"))
        return [
            {
                "type": "file" if p.is_file() else "directory",
                "path": str(p.relative_to(folder)),
                "size": p.stat().st_size if p.is_file() else 0,
                "oid": sha1(p.read_bytes() if p.is_file() else str(p).encode()).hexdigest(),
            }
            for p in found
        ]

    def do_POST(self):
        """Tells about paths."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if len(parts) > 4 and parts[4] == "paths-info":
            asked = json.loads(raw)["paths"] if raw[:1] == b"{" else parse_qs(raw.decode()).get("paths", [])
            return self._json([e for e in self._entries("/".join(parts[2:4])) if e["path"] in asked])
        return self._send(404)

    def do_GET(self):
        """Sends data set descriptions and files."""
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        name = "/".join(parts[2:4] if parts[:2] == ["api", "datasets"] else parts[1:3])
        if not (self.root / name).is_dir():
            return self._send(404, b'{"error": "Repository not found"}', X_Error_Code="RepoNotFound")
        if parts[:2] == ["api", "datasets"]:
            if len(parts) > 4 and parts[4] == "tree":
                recursive = "true" in str(parse_qs(urlsplit(self.path).query).get("recursive", [])).lower()
                return self._json(self._entries(name, "/".join(parts[6:]), recursive))
            siblings = [{"rfilename": e["path"]} for e in self._entries(name) if e["type"] == "file"]
            return self._json(
                {
                    "id": name,
                    "sha": COMMIT,
                    "private": False,
                    "siblings": siblings,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )
        file = self.root / name / "/".join(parts[5:])
        if parts[3] != "resolve" or not file.is_file():
            return self._send(404, b"", X_Error_Code="EntryNotFound")
        body = file.read_bytes()
        headers = {"ETag": f'"{sha1(body).hexdigest()}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if wanted and self.command == "GET":
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first or 0), min(int(last or len(body) - 1), len(body) - 1)
            part = body[begin : end + 1]
            return self._send(206, part, Content_Range=f"bytes {begin}-{end}/{len(body)}", **headers)
        return self._send(200, body, **headers)

    do_HEAD = do_GET


def serve(root):
    """Starts a hub over a folder; returns the server, whose `server_port` tells where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Hub,), {"root": Path(root)}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
