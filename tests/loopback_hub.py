"""A small Hub on this machine: what its client asks for when models are pushed and loaded, over the same HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import huggingface_hub
import pytest
import transformers.utils.hub
from huggingface_hub import constants

LARGE = (".safetensors", ".bin", ".png")  # what goes by LFS


@dataclass
class Repository:
    """Branches, their commits (the newest last), the files of each commit; of a Space what shows it."""

    private: bool = False
    sdk: str | None = None
    branches: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, private: bool = False) -> Repository:
        """A repository of the files in a folder."""
        repository = cls(private)
        files = (path for path in folder.rglob("*") if path.is_file())
        repository.commit("main", {path.relative_to(folder).as_posix(): path.read_bytes() for path in files})
        return repository

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """Make a commit of all the files that there are to be, and give its id."""
        history = self.branches.setdefault(branch, [])
        oid = hashlib.sha1(f"{branch} {len(self.files)}".encode()).hexdigest()
        history.append(oid)
        self.files[oid] = files
        return oid

    def tree(self, revision: str = "main") -> dict[str, bytes]:
        """The files of a branch or a commit."""
        return self.files[self.resolve(revision)]

    def resolve(self, revision: str) -> str:
        """The commit of a branch, or the commit itself."""
        return self.branches[revision][-1] if revision in self.branches else revision


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(
        self, status: int, message: str, code: str | None = None, answer: Any = (), headers: Any = ()
    ) -> None:
        self.status, self.answer = status, {"error": message, **dict(answer)}
        self.headers = {"X-Error-Message": message, **dict(headers), **({"X-Error-Code": code} if code else {})}


class LoopbackHub:
    """The Hub's state, and knobs to make it fail.

    Attributes:
        users: name by token.
        repositories: by "owner/name", or "spaces/owner/name".
        requests: what was asked for, as "METHOD /path".
        refused: a status for each route that is to fail, by the route's name.
        cut: the route at which the connection breaks.
        before: something to do as a route is asked for, once.
    """

    def __init__(self) -> None:
        self.users = {"hf_ada": "ada", "hf_eve": "eve"}
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refused: dict[str, int] = {}
        self.cut: str | None = None
        self.before: dict[str, Callable[[], Any]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> LoopbackHub:
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()
        huggingface_hub.close_session()  # it keeps connections alive

    def environment(self, home: Path, token: str | None = "hf_ada") -> dict[str, str]:
        """Variables for a process whose client is to talk to this Hub."""
        variables = {"HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home)}
        variables |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return variables | ({"HF_TOKEN": token} if token else {})

    @contextmanager
    def client(self, home: Path, token: str | None = "hf_ada") -> Iterator[None]:
        """The client of this process talks to this Hub, with a cache of its own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(constants, "ENDPOINT", self.endpoint)
            patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.endpoint + _RESOLVE)
            patch.setattr(constants, "HF_HUB_OFFLINE", False)
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
            patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
            patch.setattr(huggingface_hub.hf_api.api, "endpoint", self.endpoint)
            patch.setattr(transformers.utils.hub, "_hf_api", None)
            patch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # before it tries again
            patch.delenv("HF_TOKEN", raising=False)
            if token:
                patch.setenv("HF_TOKEN", token)
            huggingface_hub.close_session()
            yield
        huggingface_hub.close_session()


_RESOLVE = "/{repo_id}/resolve/{revision}/{filename}"
_ID = r"(?P<id>(?:datasets/|spaces/)?[^/]+/[^/]+?)"  # of a model, or datasets/owner/name
_REVISION = r"(?P<revision>[^/]+)"
_ROUTES = [
    ("whoami", "GET", r"/api/whoami-v2"),
    ("create", "POST", r"/api/repos/create"),
    ("validate_yaml", "POST", r"/api/validate-yaml"),
    ("info", "GET", rf"/api/(?:models/)?{_ID}(/revision/{_REVISION})?"),
    ("tree", "GET", rf"/api/(?:models/)?{_ID}/tree/{_REVISION}(/(?P<path>.+))?"),
    ("refs", "GET", rf"/api/(?:models/)?{_ID}/refs"),
    ("paths_info", "POST", rf"/api/(?:models/)?{_ID}/paths-info/{_REVISION}"),
    ("branch", "POST", rf"/api/(?:models/)?{_ID}/branch/(?P<branch>[^/]+)"),
    ("preupload", "POST", rf"/api/(?:models/)?{_ID}/preupload/{_REVISION}"),
    ("commit", "POST", rf"/api/(?:models/)?{_ID}/commit/{_REVISION}"),
    ("batch", "POST", rf"/{_ID}\.git/info/lfs/objects/batch"),
    ("put", "PUT", r"/large/(?P<oid>\w+)"),
    ("verify", "POST", r"/verify"),
    ("resolve", "GET", rf"/{_ID}/resolve/{_REVISION}/(?P<path>.+)"),
]


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        method = self.command.replace("HEAD", "GET")
        matches = ((name, re.fullmatch(pattern, path)) for name, verb, pattern in _ROUTES if verb == method)
        name, match = next((found for found in matches if found[1]), ("", None))
        if match is None:
            return self._answer(404, b'{"error": "no such route"}')
        if name in self.hub.before:
            self.hub.before.pop(name)()
        if self.hub.cut == name:
            return self._cut()
        try:
            if name in self.hub.refused:
                raise Refusal(self.hub.refused[name], "The server has a problem")
            given = {key: value for key, value in match.groupdict().items() if value is not None}
            answer, headers = getattr(self, f"_{name}")(body, **given)
        except Refusal as refusal:
            return self._answer(refusal.status, json.dumps(refusal.answer).encode(), refusal.headers)
        return self._answer(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode(), headers)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _user(self, needed: bool = True) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.users:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if needed and not token:
            raise Refusal(401, "Invalid username or password.")
        return self.hub.users.get(token)

    def _repository(self, name: str, write: bool = False) -> Repository:
        user = self._user(needed=write)
        repository, owner = self.hub.repositories.get(name), name.split("/")[-2]
        if repository is None or (repository.private and user != owner):
            raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and user != owner:
            raise Refusal(403, "You don't have the rights to write to this repository")
        return repository

    def _commit_id(self, repository: Repository, revision: str) -> str:
        oid = repository.resolve(revision)
        if oid not in repository.files:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return oid

    def _whoami(self, _: bytes) -> Any:
        return {"name": self._user(), "type": "user", "orgs": []}, {}

    def _create(self, body: bytes) -> Any:
        asked, user = json.loads(body), self._user()
        owner = asked.get("organization") or user
        name = f"{'spaces/' if asked.get('type') == 'space' else ''}{owner}/{asked['name']}"
        if owner != user:
            raise Refusal(403, f'You don\'t have the rights to create a model under the namespace "{owner}"')
        answer = {"url": f"{self.hub.endpoint}/{name}", "name": name, "id": "0"}
        if name in self.hub.repositories:
            raise Refusal(409, "You already created this model repo", answer=answer)
        repository = self.hub.repositories[name] = Repository(
            private=asked.get("visibility") == "private", sdk=asked.get("sdk")
        )
        repository.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"})
        return answer, {}

    def _validate_yaml(self, body: bytes) -> Any:
        return {"errors": [], "warnings": []}, {}

    def _info(self, _: bytes, id: str, revision: str = "main") -> Any:
        repository = self._repository(id)
        oid = self._commit_id(repository, revision)
        siblings = [{"rfilename": path} for path in repository.files[oid]]
        answer = {"_id": "0", "sha": oid, "private": repository.private, "siblings": siblings, "tags": []}
        return {**answer, "id": id.removeprefix("spaces/"), "sdk": repository.sdk}, {}

    def _tree(self, _: bytes, id: str, revision: str, path: str = "") -> Any:
        repository = self._repository(id)
        files = repository.files[self._commit_id(repository, revision)]
        found = {name: data for name, data in files.items() if not path or name.startswith(f"{path}/")}
        if path and not found:
            raise Refusal(404, f"{path} does not exist", "EntryNotFound")
        kinds = {"type": "file"}
        return [
            {**kinds, "path": name, "oid": _oid(name, data), "size": len(data)} for name, data in found.items()
        ], {}

    def _paths_info(self, body: bytes, id: str, revision: str) -> Any:
        repository = self._repository(id)
        files = repository.files[self._commit_id(repository, revision)]
        asked = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
        found = ((path, files[path]) for path in asked if path in files)
        return [{"type": "file", "path": path, "oid": _oid(path, data), "size": len(data)} for path, data in found], {}

    def _refs(self, _: bytes, id: str) -> Any:
        branches = self._repository(id).branches
        named = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": ids[-1]} for name, ids in branches.items()
        ]
        return {"branches": named, "tags": [], "converts": []}, {}

    def _branch(self, _: bytes, id: str, branch: str) -> Any:
        repository = self._repository(id, write=True)
        if branch in repository.branches:
            raise Refusal(409, f"Reference already exists: {branch}")
        repository.branches[branch] = list(repository.branches["main"])
        return {}, {}

    def _preupload(self, body: bytes, id: str, revision: str) -> Any:
        repository = self._repository(id, write=True)
        files = repository.files[self._commit_id(repository, revision)]
        answer = [
            {
                "path": path,
                "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": _oid(path, files[path]) if path in files else None,
            }
            for path in (file["path"] for file in json.loads(body)["files"])
        ]
        return {"files": answer}, {}

    def _batch(self, body: bytes, id: str) -> Any:
        self._repository(id, write=True)
        answer = []
        for item in json.loads(body)["objects"]:
            actions = {
                "upload": {"href": f"{self.hub.endpoint}/large/{item['oid']}"},
                "verify": {"href": f"{self.hub.endpoint}/verify"},
            }
            answer.append(item if item["oid"] in self.hub.large else {**item, "actions": actions})
        return {"objects": answer, "transfer": "basic"}, {}

    def _put(self, body: bytes, oid: str) -> Any:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refusal(400, "These are not the bytes that were announced")
        self.hub.large[oid] = body
        return {}, {}

    def _verify(self, body: bytes) -> Any:
        asked = json.loads(body)
        if len(self.hub.large.get(asked["oid"], b"")) != asked["size"]:
            raise Refusal(404, "The object is not here")
        return {}, {}

    def _commit(self, body: bytes, id: str, revision: str) -> Any:
        repository = self._repository(id, write=True)
        last = self._commit_id(repository, revision)
        files = dict(repository.files[last])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                if value.get("parentCommit", last) != last:
                    raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            else:
                del files[value["path"]]
        oid = repository.commit(revision, files)
        return {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.endpoint}/{id}/commit/{oid}"}, {}

    def _resolve(self, _: bytes, id: str, revision: str, path: str) -> Any:
        repository = self._repository(id)
        oid = self._commit_id(repository, revision)
        if path not in repository.files[oid]:
            raise Refusal(404, "Entry not found", "EntryNotFound", headers={"X-Repo-Commit": oid})
        data = repository.files[oid][path]
        headers = {"ETag": f'"{_oid(path, data)}"', "X-Repo-Commit": oid}
        if path.endswith(LARGE):
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(data))}
        return data, headers


def _oid(path: str, data: bytes) -> str:
    """What git, or LFS, calls a file by."""
    if path.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
