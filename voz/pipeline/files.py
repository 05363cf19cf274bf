"""Files and folders that are whole or not there; their hashes, their copies, their names as a person reads them."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from voz.pipeline.command import UserError


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file (`.<name>.<pid>.tmp`) that replaces `path` when the block ends without an exception.

    The bytes are on the disk before the name is: a power cut leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    encoding = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with open(temporary, mode, **encoding) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, line ends as they are."""
    with atomic(path, "w") as file:
        file.write(text)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write metrics atomically: keys in the given order, floats rounded to 6 digits.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    write_text(path, json.dumps(_rounded(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def copy(source: Path, target: Path) -> None:
    """Put a copy of a file into a stage's output, a file of its own: a link would let an edit reach the source."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def fresh_folder(path: Path) -> Path:
    """Make `path` an empty folder: stages rebuild their outputs whole, so no file of an earlier run survives."""
    if path.is_dir():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder (`.<name>.tmp`) to fill; it takes the place of `path` when the block ends without an exception.

    A stage that is killed leaves the old folder or none: a folder that is there is complete.
    """
    temporary = fresh_folder(path.with_name(f".{path.name}.tmp"))
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def exclusive(folder: Path, *, what: str) -> Iterator[None]:
    """Hold a folder that one process at a time may work in, and remove the temporary files of one that was killed there.

    Raises:
        UserError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system however the process ends
        except BlockingIOError as error:
            raise UserError(f"{folder}: another process is at this very {what}", "wait for it, then run again") from error
        for left in folder.glob(".*.tmp"):
            left.unlink()
        yield


def printable(name: str | bytes) -> str:
    """A name as one line of UTF-8 text: what is not printable is written `\\xNN`, so that two names never look alike."""
    text = os.fsencode(name).decode("utf-8", "surrogateescape").replace("\\", "\\\\")
    return "".join(_escaped(sign) for sign in text)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 over some files of a folder (names and bytes), hex."""
    return combined_hash({name: hash_file(folder / name) for name in names})


def combined_hash(hashes: dict[str, str]) -> str:
    """SHA-256 over the names of files and their hashes, hex."""
    parts = [f"{name}:{hashes[name]}" for name in sorted(hashes)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def require_free(folder: Path, need_bytes: int, *, what: str) -> None:
    """Refuse long work that the disk cannot hold.

    Raises:
        UserError: less than `need_bytes` are free where `folder` is or will be.
    """
    at = next(p for p in [folder.resolve(), *folder.resolve().parents] if p.exists())
    free = shutil.disk_usage(at).free
    if free < need_bytes:
        raise UserError(
            f"{at}: {free / 1e9:.1f} GB free, {what} needs {need_bytes / 1e9:.1f} GB", "free some (`make clean-cache`, `dvc gc -w`)"
        )


def _escaped(sign: str) -> str:
    if 0xDC80 <= ord(sign) <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value
