"""`make base` with a real HTTP server on this machine: good files, and the ways in which a download fails."""

import contextlib
import hashlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tools import fetch_base
from voz.data.base_files import BASE_FILES
from voz.pipeline.command import UserError

PAYLOAD = hashlib.shake_256(b"a checkpoint").digest(3_000_000)
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves PAYLOAD; the path chooses what goes wrong. Honours Range, except for `/no-range`."""

    requests: list[tuple[str, str]] = []  # noqa: RUF012 - the handler class is the only state a server shares

    def do_GET(self) -> None:
        byte_range = self.headers.get("Range", "")
        self.requests.append((self.path, byte_range))
        if self.path == "/gone":
            self.send_error(404)
            return
        body = {
            "/flipped": PAYLOAD[:77] + bytes([PAYLOAD[77] ^ 1]) + PAYLOAD[78:],
            "/page": b"<html>sign in first</html>",
            "/short": PAYLOAD[:-1000],
        }
        data = body.get(self.path, PAYLOAD)
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range and self.path != "/no-range" else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        length = {"/no-length": "", "/endless": "", "/bad-length": "many", "/negative": "-1", "/absurd": "9" * 30, "/too-long": "9" * 12}
        stated = length.get(self.path, str(len(data) - start))
        if stated:
            self.send_header("Content-Length", stated)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        drops = self.path == "/always-drops" or (
            self.path in ("/drops", "/no-range") and sum(path == self.path for path, _ in self.requests) < 3
        )
        self.wfile.write(data[start : start + 1_200_000] if drops else data[start:])
        with contextlib.suppress(ConnectionError):
            while self.path == "/endless":
                self.wfile.write(bytes(1 << 20))

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_base, "WAIT_S", 0.0)


def remote(server: str, path: str, folder: Path) -> fetch_base.Remote:
    return fetch_base.Remote(f"{server}{path}", SHA256, folder / "models" / "model.pth")


def nothing_left(file: fetch_base.Remote) -> bool:
    return not file.path.exists() and not file.part.exists()


def test_a_good_file_is_fetched_once(server: str, tmp_path: Path) -> None:
    file = remote(server, "/good", tmp_path)
    fetch_base.fetch(file)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD
    assert not file.part.exists()
    assert Handler.requests == [("/good", "")]


def test_a_dropped_connection_is_resumed(server: str, tmp_path: Path) -> None:
    file = remote(server, "/drops", tmp_path)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD
    assert [byte_range for _, byte_range in Handler.requests] == ["", "bytes=1200000-", "bytes=2400000-"]


@pytest.mark.parametrize("path", ["/no-length", "/bad-length", "/negative", "/absurd"])
def test_a_length_that_is_missing_or_nonsense_does_not_matter(server: str, tmp_path: Path, path: str) -> None:
    file = remote(server, path, tmp_path)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD


@pytest.mark.parametrize("path", ["/endless", "/too-long"])
def test_a_body_without_an_end_is_refused(server: str, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_base, "MOST_BYTES", 10_000_000)
    file = remote(server, path, tmp_path)
    with pytest.raises(UserError, match="the server sends more than 0 GB; put the file at"):
        fetch_base.fetch(file)
    assert nothing_left(file)


def test_the_part_of_an_earlier_run_is_used(server: str, tmp_path: Path) -> None:
    file = remote(server, "/good", tmp_path)
    file.part.parent.mkdir()
    file.part.write_bytes(PAYLOAD[:2_999_999])
    fetch_base.fetch(file)
    assert Handler.requests == [("/good", "bytes=2999999-")]
    assert file.path.read_bytes() == PAYLOAD


def test_a_server_without_range_starts_over_and_no_byte_is_doubled(server: str, tmp_path: Path) -> None:
    file = remote(server, "/no-range", tmp_path)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD


def test_a_complete_part_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    file = remote(server, "/good", tmp_path)
    file.part.parent.mkdir()
    file.part.write_bytes(PAYLOAD)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD


def test_what_arrived_is_kept_when_the_connection_keeps_dropping(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_base, "TRIES", 2)
    file = remote(server, "/always-drops", tmp_path)
    with pytest.raises(UserError, match=r"2400000 of 3000000 bytes \(2 MB are kept\).*goes on from there"):
        fetch_base.fetch(file)
    assert file.part.read_bytes() == PAYLOAD[:2_400_000]


@pytest.mark.parametrize(("path", "message"), [("/flipped", "SHA-256"), ("/short", "SHA-256"), ("/page", "web page"), ("/gone", "404")])
def test_wrong_bytes_are_never_kept(server: str, tmp_path: Path, path: str, message: str) -> None:
    file = remote(server, path, tmp_path)
    with pytest.raises(UserError, match=message):
        fetch_base.fetch(file)
    assert nothing_left(file)


def test_a_damaged_part_is_deleted_so_that_the_next_run_starts_clean(server: str, tmp_path: Path) -> None:
    file = remote(server, "/good", tmp_path)
    file.part.parent.mkdir()
    file.part.write_bytes(b"x" * 1000)
    with pytest.raises(UserError, match="SHA-256"):
        fetch_base.fetch(file)
    fetch_base.fetch(file)
    assert file.path.read_bytes() == PAYLOAD


def test_an_existing_wrong_file_is_not_overwritten(server: str, tmp_path: Path) -> None:
    file = remote(server, "/good", tmp_path)
    file.path.parent.mkdir()
    file.path.write_bytes(b"somebody's own")
    with pytest.raises(UserError, match="move it away"):
        fetch_base.fetch(file)
    assert file.path.read_bytes() == b"somebody's own"
    assert Handler.requests == []


def test_a_refused_connection_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_base, "TRIES", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    with pytest.raises(UserError, match="refused"):
        fetch_base.fetch(remote(f"http://127.0.0.1:{port}", "/good", tmp_path))


def test_the_licence_is_accepted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
    with pytest.raises(UserError, match="COQUI_TOS_AGREED=1"):  # pytest's stdin is not a terminal
        fetch_base.agree(tmp_path)
    assert "NON-COMMERCIAL" in capsys.readouterr().out
    monkeypatch.setenv("COQUI_TOS_AGREED", "1")
    fetch_base.agree(tmp_path)
    monkeypatch.delenv("COQUI_TOS_AGREED")
    capsys.readouterr()
    fetch_base.agree(tmp_path)
    assert capsys.readouterr().out == ""


def test_dvc_knows_the_base_and_never_pushes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "remote", "add", "-q", "-d", "here", str(tmp_path / "remote")]):
        subprocess.run(command, check=True)
    base = Path("models/xtts_v2")
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}", encoding="utf-8")
    fetch_base.track(base)
    fetch_base.track(base)
    assert yaml.safe_load(Path("models/xtts_v2.dvc").read_text(encoding="utf-8"))["outs"][0]["push"] is False
    subprocess.run(["dvc", "push", "-q"], check=True)
    assert not [path for path in (tmp_path / "remote").rglob("*") if path.is_file()]


def test_the_files_that_the_stages_need_are_fetched() -> None:
    assert set(BASE_FILES) <= set(fetch_base.XTTS_SHA256)


def test_the_hash_of_a_whisper_model_is_in_its_address() -> None:
    file = fetch_base.whisper_file("medium", Path("w"))
    assert file.sha256 == "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1"
    assert file.path == Path("w/medium.pt")
    with pytest.raises(UserError, match="medium"):
        fetch_base.whisper_file("gigantic")
