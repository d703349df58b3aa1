"""As much of a Hugging Face Hub as its client and `datasets` use, on loopback, over a folder of `owner/name/files`."""

import base64
import hashlib
import json
import shutil
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LICENCES = ["apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "other", "unknown"]
PAGE = 40  # entries of a listing at once, to see that the client asks for the rest


@dataclass
class Fault:
    """Something that goes wrong, so many times.

    Attributes:
        method, part: of requests whose method and path these are (a part of it).
        status: the answer; 0 cuts the connection before the request is done, -1 after it is done.
        headers: of the answer.
        skip: how many of these requests go well before.
    """

    method: str
    part: str
    status: int
    times: int = 1
    headers: dict = field(default_factory=dict)
    skip: int = 0


class Hub(BaseHTTPRequestHandler):
    """Answers the API, takes uploads and commits, and sends files."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Says nothing."""

    # --- answers -----------------------------------------------------------------------------------------------

    def _send(self, status, body=b"", **headers):
        self.server.requests.append((self.command, self.path, status))
        if self.cut:
            return self._cut()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value, status=200, **headers):
        self._send(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _cut(self):
        """Resets the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _handle(self, answer):
        """Reads the request whole, lets go wrong what should, and answers."""
        self.cut = False
        self.url = urlsplit(self.path)
        self.parts = unquote(self.url.path).strip("/").split("/")
        length = int(self.headers.get("Content-Length") or 0)
        self.raw = self.rfile.read(length) if length else self._chunked()
        if len(self.raw) < length:
            self.close_connection = True  # the client is gone
            return None
        fault = self.server.next_fault(self.command, self.path)
        if fault is not None and fault.status == 0:
            self.server.requests.append((self.command, self.path, 0))
            return self._cut()
        if fault is not None and fault.status > 0:
            return self._json({"error": "by order of the test"}, fault.status, **fault.headers)
        self.cut = fault is not None
        return answer()

    def _chunked(self):
        out = b""
        while "chunked" in self.headers.get("Transfer-Encoding", ""):
            size = int(self.rfile.readline().strip() or b"0", 16)
            out += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return out

    # --- repositories ------------------------------------------------------------------------------------------

    def _folder(self, name, revision="main"):
        branch = self.server.branch_of.get(revision, revision)
        return self.server.root / (name if branch == "main" else f".branches/{branch}/{name}")

    def _entries(self, name, under="", recursive=True, revision="main"):
        folder = self._folder(name, revision)
        found = sorted((folder / under).rglob("*") if recursive else (folder / under).glob("*"))
        return [self._entry(folder, p) for p in found]

    def _entry(self, folder, p):
        data = p.read_bytes() if p.is_file() else str(p).encode()
        path = str(p.relative_to(folder))
        entry = {"type": "file" if p.is_file() else "directory", "path": path, "size": len(data) * p.is_file()}
        entry["oid"] = git_oid(data)
        if p.suffix == ".parquet" and p.is_file():
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            entry["oid"] = git_oid(entry["lfs"]["oid"].encode())
        return entry

    def _visible(self, name):
        secret = self.server.private.get(name) and not self.headers.get("Authorization")
        return (self.server.root / name).is_dir() and not secret

    def _create(self):
        asked = json.loads(self.raw)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        url = f"{self.server.url}/datasets/{name}"
        if (self.server.root / name).is_dir():
            return self._json({"error": "You already created this dataset repo", "url": url}, 409)
        self.server.private[name] = asked.get("visibility") == "private" or bool(asked.get("private"))
        (self.server.root / name).mkdir(parents=True)
        (self.server.root / name / ".gitattributes").write_text("*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        return self._json({"url": url, "name": name})

    def _preupload(self, name, revision):
        folder, files = self._folder(name, revision), []
        for file in json.loads(self.raw)["files"]:
            place = folder / file["path"]
            known = self._entry(folder, place) if place.exists() else {}
            mode = "lfs" if file["path"].endswith(self.server.lfs_suffixes) else "regular"
            oid = known.get("lfs", {}).get("oid") if mode == "lfs" else known.get("oid")
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return self._json({"files": files})

    def _batch(self):
        out = []
        for one in json.loads(self.raw)["objects"]:
            oid, size = one["oid"], one["size"]
            if oid not in self.server.objects:
                href, header = f"{self.server.url}/lfs/{oid}", {}
                if size > self.server.part_bytes:
                    numbers = range(1, -(-size // self.server.part_bytes) + 1)
                    header = {str(i): f"{href}/{i}" for i in numbers} | {"chunk_size": str(self.server.part_bytes)}
                    href = f"{self.server.url}/lfs-complete/{oid}"
                verify = {"href": f"{self.server.url}/lfs-verify"}
                one = {**one, "actions": {"upload": {"href": href, "header": header}, "verify": verify}}
            out.append(one)
        return self._json({"transfer": "basic", "objects": out})

    def _keep(self, oid, data):
        if hashlib.sha256(data).hexdigest() != oid:
            return self._json({"error": "the content isn't what its name says"}, 400)
        self.server.objects[oid] = data
        return self._send(200, ETag='"1"')

    def _commit(self, name, revision):
        lines = [json.loads(line) for line in self.raw.splitlines()]
        folder, sent, gone = self._folder(name, revision), {}, []
        for line in lines:
            value = line["value"]
            if line["key"] == "lfsFile":
                if value["oid"] not in self.server.objects:
                    return self._json({"error": f"{value['path']} was never uploaded"}, 400)
                sent[value["path"]] = self.server.objects[value["oid"]]
            elif line["key"] == "file":
                sent[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                if not (folder / value["path"]).exists():
                    return self._json({"error": f"A file with this name doesn't exist: {value['path']}"}, 404)
                gone.append(value["path"])
        for path, data in sent.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        for path in gone:
            (folder / path).unlink()
        self.server.commits.append({"name": name, "revision": revision, "added": sorted(sent), "removed": gone})
        card = folder / "README.md"
        if card.exists():
            configs = yaml.safe_load(card.read_text().split("---\n")[1])["configs"]
            named = [path for config in configs for data in config["data_files"] for path in data["path"]]
            self.server.untrue += [path for path in named if not (folder / path).exists()]
        head = self.server.head(name, revision)
        url = f"{self.server.url}/datasets/{name}/commit/{head}"
        return self._json({"commitUrl": url, "commitOid": head, "pullRequestUrl": None})

    def _validate(self):
        text = json.loads(self.raw)["content"]
        try:
            header = yaml.safe_load(text.split("---\n")[1])
            given = header["license"]
            bad = [x for x in ([given] if isinstance(given, str) else given) if x not in LICENCES]
            bad += [] if all(c["config_name"] and c["data_files"] for c in header["configs"]) else ["configs"]
        except (yaml.YAMLError, KeyError, IndexError) as error:
            bad = [str(error)]
        return self._json({"errors": [{"message": b} for b in bad], "warnings": []}, 400 if bad else 200)

    # --- methods -----------------------------------------------------------------------------------------------

    def do_PUT(self):
        self._handle(self._put)

    def _put(self):
        oid, *number = self.parts[1:]
        self.server.sent[oid] += len(self.raw)
        if number:
            self.server.pieces[oid, int(number[0])] = self.raw
            return self._send(200, ETag=f'"{number[0]}"')
        return self._keep(oid, self.raw)

    def do_POST(self):
        self._handle(self._post)

    def _post(self):
        parts = self.parts
        if parts == ["api", "repos", "create"]:
            return self._create()
        if parts == ["api", "validate-yaml"]:
            return self._validate()
        if parts[-3:] == ["lfs", "objects", "batch"]:
            return self._batch()
        if parts[0] == "lfs-verify":
            return self._send(200 if json.loads(self.raw)["oid"] in self.server.objects else 404)
        if parts[0] == "lfs-complete":
            pieces = json.loads(self.raw)["parts"]
            return self._keep(parts[1], b"".join(self.server.pieces[parts[1], p["partNumber"]] for p in pieces))
        name, what, revision = "/".join(parts[2:4]), parts[4], "/".join(parts[5:])
        if not self._visible(name):
            return self._send(404, b'{"error": "Repository not found"}', X_Error_Code="RepoNotFound")
        if what == "paths-info":
            asked = (
                json.loads(self.raw)["paths"] if self.raw[:1] == b"{" else parse_qs(self.raw.decode()).get("paths", [])
            )
            return self._json([e for e in self._entries(name, revision=revision) if e["path"] in asked])
        if what == "branch":
            folder = self._folder(name, revision)
            if folder.exists():
                return self._json({"error": "Reference already exists"}, 409)
            shutil.copytree(self._folder(name), folder)
            return self._json({})
        if what == "preupload":
            return self._preupload(name, revision)
        if what == "commit":
            with self.server.guard:
                return self._commit(name, revision)
        return self._send(404)

    def do_GET(self):
        self._handle(self._get)

    def do_HEAD(self):
        self._handle(self._get)

    def _get(self):
        parts = self.parts
        api = parts[:2] == ["api", "datasets"]
        name = "/".join(parts[2:4] if api else parts[1:3])
        if not self._visible(name):
            return self._send(404, b'{"error": "Repository not found"}', X_Error_Code="RepoNotFound")
        if api and len(parts) > 4 and parts[4] == "tree":
            return self._tree(name, parts[5], "/".join(parts[6:]))
        if api:
            revision = parts[5] if len(parts) > 5 else "main"
            siblings = [{"rfilename": e["path"]} for e in self._entries(name, revision=revision) if e["type"] == "file"]
            told = {"id": name, "sha": self.server.head(name, revision), "siblings": siblings, "tags": []}
            return self._json({**told, "private": self.server.private.get(name, False), "downloads": 0, "likes": 0})
        file = self._folder(name, parts[4]) / "/".join(parts[5:])
        if parts[3] != "resolve" or not file.is_file():
            return self._send(404, b"", X_Error_Code="EntryNotFound")
        body = file.read_bytes()
        commit = self.server.head(name, parts[4])
        headers = {"ETag": f'"{sha1(body).hexdigest()}"', "X_Repo_Commit": commit, "Accept_Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if wanted and self.command == "GET":
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first or 0), min(int(last or len(body) - 1), len(body) - 1)
            part = body[begin : end + 1]
            return self._send(206, part, Content_Range=f"bytes {begin}-{end}/{len(body)}", **headers)
        return self._send(200, body, **headers)

    def _tree(self, name, revision, under):
        asked = parse_qs(self.url.query)
        entries = self._entries(name, under, "true" in str(asked.get("recursive", [])).lower(), revision)
        begin = int(asked.get("cursor", ["0"])[0])
        more = {}
        if len(entries) > begin + PAGE:
            recursive = asked.get("recursive", ["false"])[0]
            link = f"{self.server.url}{self.url.path}?recursive={recursive}&cursor={begin + PAGE}"
            more = {"Link": f'<{link}>; rel="next"'}
        return self._json(entries[begin : begin + PAGE], **more)


def git_oid(data):
    """The name that git gives a file."""
    return sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubServer(ThreadingHTTPServer):
    """A hub, and what it saw.

    Attributes:
        url: where it is.
        requests: method, path and status of each request, 0 for one that was cut.
        sent: how many bytes were uploaded under each object's name.
        commits: what each commit added and removed.
        untrue: files that a card named after some commit, but which weren't there.
        private: which repositories are.
        faults: what will go wrong.
        part_bytes: larger objects are uploaded in parts.
    """

    daemon_threads = True

    def __init__(self, root):
        super().__init__(("127.0.0.1", 0), Hub)
        self.root, self.url = Path(root), f"http://127.0.0.1:{self.server_port}"
        self.guard, self.private, self.branch_of = threading.Lock(), {}, {}
        self.forget()

    def forget(self):
        """Forgets what it saw; the repositories stay."""
        self.requests, self.commits, self.untrue, self.faults = [], [], [], []
        self.objects, self.pieces, self.sent = {}, {}, Counter()
        self.part_bytes, self.lfs_suffixes = 1 << 30, (".parquet",)
        self.private.clear()

    def handle_error(self, request, client_address):
        """Says nothing: clients are killed."""

    def head(self, name, revision):
        """The commit that a branch is at."""
        branch = self.branch_of.get(revision, revision)
        number = sum((c["name"], c["revision"]) == (name, branch) for c in self.commits)
        commit = sha1(f"{name} {branch} {number}".encode()).hexdigest()
        self.branch_of[commit] = branch
        return commit

    def next_fault(self, method, path):
        """Takes the next thing to go wrong, if it is time."""
        with self.guard:
            for fault in self.faults:
                if fault.method == method and fault.part in path and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.times -= 1
                    return fault
        return None


def serve(root):
    """Starts a hub over a folder; returns the server, whose `url` tells where."""
    server = HubServer(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
