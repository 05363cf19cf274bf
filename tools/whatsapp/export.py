"""Open an export (a .zip, a folder, or a chat's .txt with its files beside it), and copy files out of it without trusting it.

Nothing is extracted under a name that the archive chose, only regular files are read, and a member is copied only if its
stated size is within the limit; the copy stops at that size.
"""

import abc
import contextlib
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tools.whatsapp import names
from voz.pipeline import files
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

MAX_BYTES = 2 * 2**30  # of one member; 3 h of WhatsApp's Opus are 45 MB, of 48 kHz stereo PCM16 2.07 GB
MAX_RATIO = 100  # unpacked size : packed size; about 1 for compressed audio, at most 1 032 for deflate
RATIO_FROM_BYTES = 2**20  # members of at most this size may have any ratio
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)
_UNSUPPORTED_FLAGS = 0x20 | 0x40 | 0x2000  # patched data, strong encryption, masked names: no phone writes these


@dataclass(frozen=True)
class Member:
    """A file in an export."""

    folder: str  # within the export
    name: str  # NFC, printable
    size_bytes: int
    handle: bytes | zipfile.ZipInfo  # the path, or the zip's entry, that the export opens it by


class Damaged(Exception):
    """A member of an archive cannot be unpacked, or its checksum differs."""


class Export(abc.ABC):
    """An opened export. `members` is sorted; `left_out` lists (name, reason) of the files that must not be copied.

    Hidden files and folders are in neither list, and nor is what macOS adds to a zip (`__MACOSX`, `._name`).

    Attributes:
        only_chat: the name of the chat's text if the user gave that one; other texts are not considered then.
    """

    only_chat = ""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.left_out: list[tuple[str, str]] = []

    def read(self, member: Member) -> bytes:
        """The bytes of a small member.

        Raises:
            UserError: the member is damaged.
        """
        try:
            with self._open(member) as file:
                return file.read(member.size_bytes)
        except _BROKEN as error:
            raise UserError(
                "{name}: damaged in the zip ({error})", "export the chat again, and copy the file whole", name=member.name, error=error
            ) from error

    def copy(self, member: Member, target: Path) -> None:
        """Copy a member to a new file.

        Raises:
            FileExistsError: `target` exists.
            Damaged: the member is damaged; `target` does not exist then.
        """
        try:
            with files.named_in_errors(target), self._open(member) as file, open(target, "xb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
        except _BROKEN as error:
            target.unlink(missing_ok=True)
            raise Damaged(str(error)) from error

    @abc.abstractmethod
    def _open(self, member: Member) -> BinaryIO:
        """Open a member for reading."""

    def _add(self, path: str, size_bytes: int, handle: bytes | zipfile.ZipInfo, problem: str) -> None:
        """Add a file to `members`, or to `left_out` if it has a problem or is too large."""
        pure = PurePosixPath(path)
        if not pure.name or any(_is_hidden(part) for part in path.split("/")):
            return
        if size_bytes > MAX_BYTES:
            problem = tr("larger than {most_gib:.0f} GiB", most_gib=MAX_BYTES / 2**30)
        if problem:
            self.left_out.append((pure.name, problem))
        else:
            self.members.append(Member(str(pure.parent), pure.name, size_bytes, handle))


class ZipExport(Export):
    """A .zip; refused as a whole if it is encrypted or damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
            raise UserError(
                "{path}: damaged, or not a zip ({error})", "export the chat again, and copy the file whole", path=path, error=error
            ) from error
        for info in sorted(self._zip.infolist(), key=lambda each: each.filename):
            if info.filename.endswith("/"):  # zipfile's own is_dir fails for an empty name
                continue
            if info.flag_bits & 0x1:
                raise UserError("{path}: encrypted", "unpack it with your password and give the folder", path=path)
            self._add(_zip_path(info), info.file_size, info, _zip_problem(info))
        self.members.sort(key=lambda each: (each.folder, each.name))

    def _open(self, member: Member) -> BinaryIO:
        assert isinstance(member.handle, zipfile.ZipInfo)
        try:
            return cast(BinaryIO, self._zip.open(member.handle))  # zipfile stops at the stated size and checks the CRC
        except (ValueError, RuntimeError, struct.error) as error:  # its header contradicts the zip's list, or its name is not UTF-8
            raise zipfile.BadZipFile(str(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class FolderExport(Export):
    """A folder and its subfolders. Links are not followed.

    Args:
        only_chat: see `Export`. The folder may be anybody's downloads then: below it only one level of folders is searched,
            and what is not readable is passed over.
    """

    def __init__(self, path: Path, *, only_chat: str = "") -> None:
        super().__init__()
        self.only_chat = only_chat
        self._walk(os.fsencode(path), "")
        self.members.sort(key=lambda each: (each.folder, each.name))

    def _walk(self, folder: bytes, path_in_export: str) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except PermissionError as error:
            if self.only_chat:
                return
            raise UserError(
                "{folder}: not readable", "make it readable, or give a folder without it", folder=files.printable(folder)
            ) from error
        for entry in entries:
            name = _shown(entry.name)
            if _is_hidden(name):
                continue
            path = f"{path_in_export}/{name}" if path_in_export else name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if not (self.only_chat and path_in_export):
                    self._walk(entry.path, path)
            elif stat.S_ISREG(status.st_mode):
                self._add(path, status.st_size, entry.path, "" if os.access(entry.path, os.R_OK) else later("not readable"))
            else:
                self._add(path, 0, entry.path, _not_regular(status.st_mode))

    def _open(self, member: Member) -> BinaryIO:
        assert isinstance(member.handle, bytes)
        return os.fdopen(os.open(member.handle, os.O_RDONLY | os.O_NOFOLLOW), "rb")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Export]:
    """Open a .zip, a folder, or the .txt of a chat whose files lie beside it.

    Raises:
        UserError: the path does not exist, is none of these, is encrypted or damaged.
    """
    if path.is_dir():
        yield FolderExport(path)
    elif path.is_file() and path.suffix.lower() == ".txt":
        yield FolderExport(path.parent, only_chat=_shown(path.name))
    elif path.is_file():
        export = ZipExport(path)
        try:
            yield export
        finally:
            export.close()
    else:
        raise UserError(
            "{path}: no such file",
            "give the .zip that WhatsApp exported (with media), the folder that it was unpacked to, or the .txt in it",
            path=path,
        )


def _shown(name: bytes | str) -> str:
    """A file name in printable and composed form (NFC), as the chat has it; macOS decomposes file names."""
    return names.composed(files.printable(name))


def _is_hidden(name: str) -> bool:
    """True for hidden files and folders, and for the folder that macOS adds to a zip. (`..` is a path that leads out, not hidden.)"""
    return name == "__MACOSX" or (name.startswith(".") and name not in (".", ".."))


def _zip_path(info: zipfile.ZipInfo) -> str:
    """The path of a zip's entry. Phones write UTF-8 without the flag that says so, and Python then decodes it as cp437."""
    path = info.filename.replace("\\", "/")
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):  # then it really is cp437
            path = path.encode("cp437").decode("utf-8")
    return "/".join(_shown(part) for part in path.split("/"))


def _zip_problem(info: zipfile.ZipInfo) -> str:
    """Why an entry of a zip must not be unpacked; empty if it may."""
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return _not_regular(mode)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & _UNSUPPORTED_FLAGS:
        return tr("packed by method {method}", method=info.compress_type)
    if info.header_offset < 0:
        return tr("damaged: said to begin before the start of the zip")
    if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return tr("packed more than {ratio} : 1", ratio=MAX_RATIO)
    return ""


def _not_regular(mode: int) -> str:
    return later("a link") if stat.S_ISLNK(mode) else later("not a regular file")
