"""Fetch XTTS_v2 and a Whisper model into models/, checked against their published SHA-256.

    python -m tools.fetch_base [--whisper medium]        (`make base`, `make base WHISPER=small`)

Writes models/xtts_v2/ and models/whisper/<name>.pt, and puts both under DVC, marked as never to be pushed. An interrupted
download is resumed. A file that exists with the right SHA-256 is not fetched again.
"""

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from ruamel.yaml import YAML
from tqdm import tqdm

from tools.dvc_command import dvc_add
from voz.pipeline import command, files
from voz.pipeline.command import UserError
from voz.pipeline.files import hash_file, require_free
from voz.pipeline.language import later, tr

XTTS_URL = "https://huggingface.co/coqui/XTTS-v2/resolve/6c2b0d75eae4b7047358e3b6bd9325f857d43f77"
XTTS_SHA256 = {  # of that revision, as several public repositories record them
    "model.pth": "c7ea20001c6a0a841c77e252d8409f6a74fb423e79b3206a0771ba5989776187",
    "config.json": "ef262b1454dd2a77e1461b0b2cd53e19b8a7624cc131b837d36df67356bc75e8",
    "vocab.json": "928260878a59da8a72a2a5b7687fea29d5106137669d90945430fe17e415304a",
    "dvae.pth": "b29bc227d410d4991e0a8c09b858f77415013eeb9fba9650258e96095557d97a",
    "mel_stats.pth": "1f69422a8a8f344c4fca2f0c6b8d41d2151d6615b7321e48e6bb15ae949b119c",
    "speakers_xtts.pth": "f0f6137c19a4eab0cbbe4c99b5babacf68b1746e50da90807708c10e645b943b",
}
XTTS, WHISPER = Path("models/xtts_v2"), Path("models/whisper")
AGREED = "tos_agreed.txt"  # coqui-tts writes the same file with the same text
AGREEMENT = "I have read, understood and agreed to the Terms and Conditions."
LICENCE = later("""XTTS_v2 is under the Coqui Public Model License 1.0.0 (CPML): https://huggingface.co/coqui/XTTS-v2/blob/main/LICENSE.txt
In short: the model, what is made from it (your fine-tuned voice too) and what it speaks are for NON-COMMERCIAL use only.""")
TRIES = 5  # connections per file; each resumes where the one before was dropped
WAIT_S = 0.5  # before the second try; four times as long before each further one
CHUNK_BYTES = 1 << 20
MOST_BYTES = 5 << 30  # of a file; the largest, Whisper large, has 3.1 GB. A server that sends more is not the publisher's


@dataclass(frozen=True)
class Remote:
    """A file to fetch."""

    url: str
    sha256: str  # of its bytes, hex
    path: Path  # where to put it

    @property
    def part(self) -> Path:
        """The file that holds the bytes until all have arrived and their hash was checked."""
        return self.path.with_name(self.path.name + ".part")


class Dropped(Exception):
    """The connection ended before the file did."""


def xtts_files(folder: Path = XTTS) -> list[Remote]:
    """The six files of XTTS_v2."""
    return [Remote(f"{XTTS_URL}/{name}", sha256, folder / name) for name, sha256 in XTTS_SHA256.items()]


def whisper_file(name: str, folder: Path = WHISPER) -> Remote:
    """A checkpoint of openai-whisper. The package has a table of URLs, and each URL contains the file's SHA-256.

    Raises:
        UserError: there is no such model.
    """
    import whisper  # takes 3 s, and only this function needs it

    url = whisper._MODELS.get(name)
    if url is None:
        raise UserError(
            "whisper: unknown model {name!r}", "choose one of {models}", name=name, models=", ".join(whisper.available_models())
        )
    return Remote(url, url.split("/")[-2], folder / f"{name}.pt")


def fetch(file: Remote) -> None:
    """Download a file, resuming an earlier attempt, and put it in place only if its SHA-256 is the published one.

    Raises:
        UserError: the server refuses, the connection keeps dropping, or the SHA-256 differs.
    """
    if file.path.is_file():
        if hash_file(file.path) == file.sha256:
            print(tr("{path}: exists, SHA-256 correct", path=file.path))
            return
        raise UserError("{path}: not the published file (SHA-256 differs)", "move it away and run `make base` again", path=file.path)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    _transfer(file)
    found = hash_file(file.part)
    if found != file.sha256:
        start = file.part.read_bytes()[:40] if file.part.stat().st_size < CHUNK_BYTES else b""
        file.part.unlink()
        page = ": the server sent a web page" if b"<" in start[:5] else ""
        raise UserError(
            "{url}: SHA-256 is {found}…, the published one is {expected}…{page}",
            "run `make base` again; nothing was kept",
            url=file.url,
            found=found[:12],
            expected=file.sha256[:12],
            page=page,
        )
    os.replace(file.part, file.path)
    print(tr("{path}: fetched, SHA-256 correct", path=file.path))


def _transfer(file: Remote) -> None:
    """Fill `file.part`, reconnecting when the connection drops."""
    for attempt in range(TRIES):
        try:
            return _receive(file)
        except urllib.error.HTTPError as error:
            raise UserError(
                "{url}: {status} {reason}",
                "check the address, or put the file at {path} by hand",
                url=file.url,
                status=error.code,
                reason=error.reason,
                path=file.path,
            ) from error
        except (Dropped, urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
            last = error
            time.sleep(WAIT_S * 4**attempt if attempt < TRIES - 1 else 0)
    kept_mb = file.part.stat().st_size / 1e6 if file.part.exists() else 0.0
    raise UserError(
        "{url}: {last} ({kept_mb:.0f} MB are kept)",
        "run `make base` again: it goes on from there",
        url=file.url,
        last=last,
        kept_mb=kept_mb,
    )


def _receive(file: Remote) -> None:
    """Open one connection, request the bytes that `file.part` still lacks, and append them.

    Raises:
        Dropped: fewer bytes arrived than the server announced.
        UserError: more bytes arrived, or were announced, than any of the files has.
    """
    have = file.part.stat().st_size if file.part.exists() else 0
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # "range not satisfiable": no more bytes; the hash tells whether the file is complete
            return
        raise
    with response, open(file.part, "ab") as out:
        if response.status != 206:  # not a partial answer: the server sends the file from the start
            out.truncate(0)
            have = 0
        length = _stated_length(response)
        if have + length > MOST_BYTES:
            raise _too_long(file)
        require_free(
            file.path.parent, 2 * (have + length) - have, what=tr("{file} (one copy here, one in DVC's cache)", file=file.path.name)
        )
        _copy(response, out, have, length, file)
        os.fsync(out.fileno())


def _stated_length(response: HTTPResponse) -> int:
    """Bytes of the body as the server states them; 0 if it states nothing or nonsense: then the SHA-256 alone decides."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0


def _too_long(file: Remote) -> UserError:
    """The error for a body without an end. What arrived of it is removed."""
    file.part.unlink(missing_ok=True)
    return UserError(
        "{url}: the server sends more than {size_gb:.0f} GB",
        "put the file at {path} by hand",
        url=file.url,
        size_gb=MOST_BYTES / 1e9,
        path=file.path,
    )


def _copy(response: IO[bytes], out: IO[bytes], have: int, length: int, file: Remote) -> None:
    """Copy a response's body with a progress bar.

    Args:
        have: bytes in `out` already.
        length: bytes of the body as the server states them; 0 if unknown.

    Raises:
        Dropped: the body ended early.
        UserError: it does not end.
    """
    received, label = 0, file.path.name
    interval_s = 0.2 if sys.stderr.isatty() else 20.0  # a terminal shows a bar, anything else a line now and then
    total = have + length if length else None
    with tqdm(desc=label, total=total, initial=have, unit="B", unit_scale=True, delay=2, mininterval=interval_s) as bar:
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
            received += len(chunk)
            if have + received > MOST_BYTES:
                raise _too_long(file)
            bar.update(len(chunk))
    if received < length:
        raise Dropped(tr("connection dropped after {received} of {length} bytes", received=have + received, length=have + length))


def agree(folder: Path = XTTS) -> None:
    """Show the licence and ask the user to accept it, once.

    Raises:
        UserError: the user does not accept it, or there is no terminal to ask in.
    """
    if (folder / AGREED).is_file():
        return
    print(tr(LICENCE))
    if os.environ.get("COQUI_TOS_AGREED") != "1":
        if not sys.stdin.isatty():
            raise UserError("the licence of XTTS_v2 is not accepted", "run `make base` in a terminal, or set COQUI_TOS_AGREED=1")
        if command.ask(tr('Type "yes" if you accept: ')).lower() not in ("yes", "y", "sí", "si"):
            raise UserError("the licence of XTTS_v2 is not accepted", "nothing was fetched; the demo works without it")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / AGREED).write_text(AGREEMENT, encoding="utf-8")


def track(path: Path) -> None:
    """Put a file or folder under DVC, marked as never to be pushed: everybody fetches it from its publisher.

    Raises:
        UserError: DVC refuses.
    """
    dvc_add(path, fix=tr("fix that and run `make base` again"))
    pointer = files.dvc_pointer(path)
    yaml = YAML()
    document = yaml.load(pointer)
    document["outs"][0]["push"] = False
    with open(pointer, "w", encoding="utf-8") as out:
        yaml.dump(document, out)


def main() -> None:
    args = parse_args()
    whisper = whisper_file(args.whisper)
    agree()
    for file in [*xtts_files(), whisper]:
        fetch(file)
    for path in (XTTS, whisper.path):
        track(path)
    print(tr("base: {xtts}, whisper: {whisper}; `make profile NAME=xtts_v2` makes params.yaml use them", xtts=XTTS, whisper=whisper.path))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", default="medium", help="name of an openai-whisper model (default: medium)")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
