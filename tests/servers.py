"""Remotes of each kind on this machine: a folder, an SSH server, an S3 server, a WebDAV server. None of them is ours."""

import getpass
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KINDS = ("local", "ssh", "s3", "webdav")
BUCKET, SECRET = "voices", "the-secret-key"


@dataclass
class Server:
    """A remote that runs, and its objects as they lie on the server."""

    url: str
    folder: Path
    credentials: dict[str, str] = field(default_factory=dict)  # for `dvc remote modify --local`

    def objects(self) -> dict[str, bytes]:
        """The bytes of each object, by DVC's name of it."""
        found = {path: path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}
        return {f"{path.parent.name}{path.name}": data for path, data in found.items() if len(path.parent.name) == 2}

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file on the server, by its path."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}

    def put(self, oid: str, data: bytes | None) -> None:
        """Replace an object by other bytes; None removes it."""
        (path,) = self.folder.rglob(f"{oid[:2]}/{oid[2:]}")
        path.unlink()
        if data is not None:
            path.write_bytes(data)


class Bucket(Server):
    """An S3 bucket."""

    client: Any

    def objects(self) -> dict[str, bytes]:
        return {"".join(key.split("/")[-2:]): data for key, data in self.contents().items() if "/files/md5/" in key}

    def contents(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {entry["Key"]: self.client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in listed}

    def put(self, oid: str, data: bytes | None) -> None:
        key = f"voz/files/md5/{oid[:2]}/{oid[2:]}"
        if data is None:
            self.client.delete_object(Bucket=BUCKET, Key=key)
        else:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=data)


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """Start a server of a kind that keeps its files below `folder`; skips the test where it is not installed."""
    start = {"local": _local, "ssh": _ssh, "s3": _s3, "webdav": _webdav}[kind]
    with start(folder) as server:
        yield server


def _require(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (requirements-remotes.txt, requirements-dev.txt)")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


@contextmanager
def _local(folder: Path) -> Iterator[Server]:
    yield Server(str(folder / "store"), folder / "store")


@contextmanager
def _ssh(folder: Path) -> Iterator[Server]:
    _require("dvc_ssh")
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not sshd or not shutil.which("ssh-keygen"):
        pytest.skip("sshd is not installed (apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd of root wants it
    port, key = _free_port(), folder / "key"
    for name in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    lines = [
        *(f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", f"AuthorizedKeysFile {folder / 'key.pub'}"),
        *("StrictModes no", "UsePAM no", f"PidFile {folder / 'pid'}", "Subsystem sftp internal-sftp", "MaxStartups 100:30:200"),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    server = subprocess.Popen([sshd, "-D", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Server(f"ssh://{getpass.getuser()}@127.0.0.1:{port}{folder / 'store'}", folder / "store", {"keyfile": str(key)})
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _s3(folder: Path) -> Iterator[Server]:
    _require("dvc_s3", "moto", "flask", "flask_cors")
    import boto3
    from moto.server import ThreadedMotoServer

    port = _free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{port}"
        credentials = {"endpointurl": endpoint, "access_key_id": "me", "secret_access_key": SECRET, "region": "us-east-1"}
        client = boto3.client("s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id="me", aws_secret_access_key=SECRET)
        client.create_bucket(Bucket=BUCKET)
        bucket = Bucket(f"s3://{BUCKET}/voz", folder, credentials)
        bucket.client = client
        yield bucket
    finally:
        server.stop()


@contextmanager
def _webdav(folder: Path) -> Iterator[Server]:
    _require("dvc_webdav", "wsgidav", "cheroot")
    import threading

    from cheroot import wsgi
    from wsgidav.fs_dav_provider import FilesystemProvider
    from wsgidav.wsgidav_app import WsgiDAVApp

    (folder / "store" / "voz").mkdir(parents=True)  # DVC does not create the top folder on WebDAV
    users = {"*": {"me": {"password": SECRET}}}
    application = WsgiDAVApp(
        {
            "provider_mapping": {"/": FilesystemProvider(str(folder / "store"))},
            "simple_dc": {"user_mapping": users},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    server = wsgi.Server(("127.0.0.1", 0), application, numthreads=8)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        url = f"webdav://127.0.0.1:{server.bind_addr[1]}/voz"
        yield Server(url, folder / "store", {"user": "me", "password": SECRET})
    finally:
        server.stop()
        thread.join()
