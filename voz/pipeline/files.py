"""Files and folders: atomic writes, copies, hashes, locks, and names in printable form."""

import csv
import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from voz.pipeline.command import DISK_FAULTS, UserError

_locks: set[int] = set()  # descriptors of the locks that this process holds


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file (`.<name>.tmp`) that replaces `path` when the block ends without an exception.

    The bytes are flushed to the disk before the rename, so a power cut leaves either the old file or the new one. Other writers of the
    same file wait; what a killed one left is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with _replacement(path) as temporary, open(temporary, mode, **encoding) as file:  # type: ignore[call-overload]
        yield file
        file.flush()
        os.fsync(file.fileno())


def dvc_pointer(path: Path) -> Path:
    """The file in which DVC remembers a file or folder that was put under it by `dvc add`: `notes.dvc` for `notes`."""
    return path.with_name(f"{path.name}.dvc")


@contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """Yield a temporary file, locked for this process; it replaces `path` when the block ends without an exception."""
    temporary = path.with_name(f".{path.name}.tmp")
    with named_in_errors(path):
        descriptor = open_locked(temporary, wait=True)
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            unlock(descriptor)


@contextmanager
def named_in_errors(target: Path) -> Iterator[None]:
    """Within the block, the error of a full or read-only disk names `target`, unless it names a file elsewhere, such as in the cache.

    `write` names no file in its errors, and a copy names its source first. What a block within this one has named somewhere else, such
    as an entry of the cache while an output is filled, keeps its name: it may be on another disk.
    """
    try:
        yield
    except OSError as error:
        written = error.filename2 or error.filename
        elsewhere = isinstance(written, str) and not Path(written).resolve().is_relative_to(target.parent.resolve())
        if error.errno not in DISK_FAULTS or elsewhere:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; line ends are not translated."""
    with atomic(path, "w") as file:
        file.write(text)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write metrics as JSON, atomically: keys in the given order, floats rounded to 6 decimals.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    write_text(path, json.dumps(_rounded(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The text of a CSV file: commas, `\\n` after each row, double quotes where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> list[list[str]]:
    """The rows of a CSV file in UTF-8, the header among them; a byte order mark is left out.

    Raises:
        UserError: the file is missing, not UTF-8, or not CSV.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    except FileNotFoundError as error:
        raise UserError("{path}: missing", "run `dvc repro`, or `dvc pull`", path=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            "{path}: not a UTF-8 CSV ({error})", "save it as CSV UTF-8 with commas, or `dvc checkout`", path=path, error=error
        ) from error


def read_table(path: Path, header: Sequence[str], *, fix: str) -> list[list[str]]:
    """The rows of a CSV file below its header, each with as many columns.

    Args:
        fix: what to do about a file that is not such a table.

    Raises:
        UserError: see `read_csv`; or another header, or a row of another width; names the line.
    """
    rows = read_csv(path)
    for number, row in enumerate(rows or [[]], start=1):
        if len(row) != len(header) or (number == 1 and row != list(header)):
            raise UserError("{path}:{number}: not {header}", fix, path=path, number=number, header=",".join(header))
    return rows[1:]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: the file is missing, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("{path}: missing", "run `dvc repro`, or `dvc pull`", path=path) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            "{path}: not JSON ({error})", "`dvc checkout` or `git checkout` restores the file", path=path, error=error
        ) from error
    if not isinstance(data, dict):
        raise UserError("{path}: not a JSON object", "`dvc checkout` or `git checkout` restores the file", path=path)
    return data


def copy(source: Path, target: Path) -> None:
    """Copy a file, atomically. Never a link: through a link, an edit of the copy would change the source."""
    with _replacement(target) as temporary:
        shutil.copyfile(source, temporary)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder (`.<name>.tmp`) to fill; it replaces `path` when the block ends without an exception.

    Stages rebuild their outputs completely, so that no file of an earlier run stays. A killed stage leaves the old folder or none, so
    a folder that exists is complete.

    Raises:
        UserError: another process is writing the same folder.
    """
    temporary, replaced = (path.with_name(f".{path.name}{end}") for end in (".tmp", ".old.tmp"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _being_written(path):
        try:
            for leftover in (temporary, replaced):  # of a killed process
                _remove(leftover)
            temporary.mkdir()
            with named_in_errors(path):
                yield temporary
            if os.path.lexists(path):
                os.replace(path, replaced)  # not removed in place: a kill in the middle would leave a part of it
            os.replace(temporary, path)
        finally:
            for leftover in (temporary, replaced):
                with suppress(OSError):
                    _remove(leftover)


@contextmanager
def _being_written(path: Path) -> Iterator[None]:
    """Lock an output for this process, by a file beside it that is there only meanwhile.

    Raises:
        UserError: another process holds the lock.
    """
    lock = path.with_name(f".{path.name}.lock.tmp")
    try:
        with named_in_errors(path):
            descriptor = open_locked(lock, wait=False)
    except BlockingIOError as error:
        raise UserError("{path}: another process is writing it", "wait for it, then run again", path=path) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        unlock(descriptor)


def open_locked(path: Path, *, wait: bool) -> int:
    """Create a file, or open what a killed process left of it, and lock it for this process. Returns the descriptor, for `unlock`.

    The owner of the lock may rename or remove the file, or a folder above it, before that.

    Raises:
        BlockingIOError: another process holds the lock, and `wait` is False.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))  # released by the system however the process ends
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    _locks.add(descriptor)
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the owner renamed or removed it between the two calls


def unlock(descriptor: int) -> None:
    """Release a lock."""
    _locks.discard(descriptor)
    os.close(descriptor)


def leave_locks_to_the_parent() -> None:
    """Called in a forked process: a lock lasts while any copy of its descriptor is open, so this one would outlive a killed parent."""
    while _locks:
        os.close(_locks.pop())


def _remove(path: Path) -> None:
    """Remove a folder or a file; nothing if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def exclusive(folder: Path, *, what: str) -> Iterator[None]:
    """Lock a folder for this process, and remove temporary files that a killed process left in it.

    Args:
        what: the name of the work, for the message: "training".

    Raises:
        UserError: another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system however the process ends
        except BlockingIOError as error:
            raise UserError(
                "{folder}: another process is running this {what}", "wait for it, then run again", folder=folder, what=what
            ) from error
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink()
        yield


def printable(name: str | bytes) -> str:
    """A file name as one line of printable UTF-8. Other bytes and characters are escaped (`\\xff`, `\\n`), a backslash is doubled.

    Two different names never give the same text.
    """
    text = os.fsencode(name).decode("utf-8", "surrogateescape").replace("\\", "\\\\")
    return "".join(_escaped(char) for char in text)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 over the names and bytes of some files of a folder, hex. Their order does not matter."""
    return combined_hash({name: hash_file(folder / name) for name in names})


def combined_hash(hashes: dict[str, str]) -> str:
    """`hash_files` from the hash of each file, by name."""
    parts = [f"{name}:{hashes[name]}" for name in sorted(hashes)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def require_free(folder: Path, need_bytes: int, *, what: str) -> None:
    """Check, before long work, that its output will fit on the disk.

    Raises:
        UserError: less than `need_bytes` are free on the disk where `folder` is or will be.
    """
    free = free_bytes(folder)
    if free < need_bytes:
        raise UserError(
            "{folder}: {free_gb:.1f} GB free, {what} needs {need_gb:.1f} GB",
            "free some space (`make clean-cache`, `dvc gc -w`)",
            folder=_existing(folder),
            free_gb=free / 1e9,
            what=what,
            need_gb=need_bytes / 1e9,
        )


def free_bytes(folder: Path) -> int:
    """Free space on the disk where `folder` is or will be."""
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in [folder.resolve(), *folder.resolve().parents] if path.exists())


def _escaped(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:  # surrogateescape's form of a byte that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    if 0x80 <= ord(char) <= 0xFF and not char.isprintable():  # unicode_escape would write it like that byte
        return f"\\u{ord(char):04x}"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value
