"""Open what somebody exported, a .zip or a folder, and copy files out of it without trusting it.

Nothing is extracted under a name of the archive's, nothing that is no plain file is touched, and a member is copied
only after its stated size passed; the copy stops at that size.
"""

import abc
import contextlib
import os
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from voz.pipeline import files
from voz.pipeline.command import UserError

MAX_BYTES = 2 * 2**30  # of one member: 3 h of WhatsApp's Opus are 45 MB, of 48 kHz stereo PCM16 2.07 GB
MAX_RATIO = 100  # unpacked to packed; compressed audio packs to about 1, and deflate's best is 1 032
RATIO_FROM_BYTES = 2**20  # smaller members may pack as well as they like
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)
_ODD_FLAGS = 0x20 | 0x40 | 0x2000  # patched data, strong encryption, masked names: nothing that a phone writes


@dataclass(frozen=True)
class Member:
    """A file in an export: its folder there, its name (NFC, printable), its size."""

    folder: str
    name: str
    size_bytes: int
    handle: bytes | zipfile.ZipInfo  # what the source finds it by


class Damaged(Exception):
    """A member of an archive that does not unpack to what its checksum says."""


class Source(abc.ABC):
    """An opened export. `members` is sorted; `left_out` lists (name, reason) of what may not be copied."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.left_out: list[tuple[str, str]] = []

    def read(self, member: Member) -> bytes:
        """A small member's bytes.

        Raises:
            UserError: the member is damaged.
        """
        try:
            with self._open(member) as file:
                return file.read(member.size_bytes)
        except _BROKEN as error:
            raise UserError(f"{member.name}: damaged in the zip ({error})", "export the chat again, and copy the file whole") from error

    def copy(self, member: Member, target: Path) -> None:
        """Copy a member to a new file.

        Raises:
            FileExistsError: `target` is there.
            Damaged: what came out is not what went in; nothing is left behind.
        """
        try:
            with self._open(member) as file, open(target, "xb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
        except _BROKEN as error:
            target.unlink(missing_ok=True)
            raise Damaged(str(error)) from error

    @abc.abstractmethod
    def _open(self, member: Member) -> BinaryIO:
        """A member's bytes, to be read once."""

    def _offer(self, path: str, size_bytes: int, handle: bytes | zipfile.ZipInfo, why_not: str) -> None:
        if size_bytes > MAX_BYTES:
            why_not = f"larger than {MAX_BYTES / 2**30:.0f} GiB"
        pure = PurePosixPath(path)
        if why_not:
            self.left_out.append((pure.name, why_not))
        else:
            self.members.append(Member(str(pure.parent), pure.name, size_bytes, handle))


class Zip(Source):
    """A .zip; refused whole when it is encrypted or damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: damaged or no zip ({error})", "export the chat again, and copy the file whole") from error
        for info in sorted(self._zip.infolist(), key=lambda each: each.filename):
            if info.is_dir():
                continue
            if info.flag_bits & 0x1:
                raise UserError(f"{path}: encrypted", "unpack it with your password and give the folder")
            self._offer(_zip_name(info), info.file_size, info, _wrong_info(info))
        self.members.sort(key=lambda each: (each.folder, each.name))

    def _open(self, member: Member) -> BinaryIO:
        assert isinstance(member.handle, zipfile.ZipInfo)
        return cast(BinaryIO, self._zip.open(member.handle))  # it stops at the stated size and checks the CRC

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Folder(Source):
    """A folder and what is below it. Links are not followed, hidden files are no part of an export."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._walk(os.fsencode(path), "")
        self.members.sort(key=lambda each: (each.folder, each.name))

    def _walk(self, folder: bytes, inside: str) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except PermissionError as error:
            raise UserError(f"{files.printable(folder)}: may not be read", "make it readable, or give a folder without it") from error
        for entry in entries:
            name = _shown(entry.name)
            if name.startswith("."):
                continue
            path = f"{inside}/{name}" if inside else name
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self._walk(entry.path, path)
            elif stat.S_ISREG(found.st_mode):
                self._offer(path, found.st_size, entry.path, "" if os.access(entry.path, os.R_OK) else "not readable")
            else:
                self._offer(path, 0, entry.path, "a link" if stat.S_ISLNK(found.st_mode) else "no plain file")

    def _open(self, member: Member) -> BinaryIO:
        assert isinstance(member.handle, bytes)
        return os.fdopen(os.open(member.handle, os.O_RDONLY | os.O_NOFOLLOW), "rb")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a .zip or a folder.

    Raises:
        UserError: not there, neither of the two, encrypted, or damaged.
    """
    if path.is_dir():
        yield Folder(path)
    elif path.is_file():
        source = Zip(path)
        try:
            yield source
        finally:
            source.close()
    else:
        raise UserError(f"{path}: no such file", "give the .zip that WhatsApp exported (with media), or a folder")


def _shown(name: bytes | str) -> str:
    """A member's name as text, composed (macOS writes it decomposed), as the chat writes it."""
    return unicodedata.normalize("NFC", files.printable(name))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The member's path; phones write UTF-8 without setting the flag that says so, which Python then reads as cp437."""
    name = info.filename.replace("\\", "/")
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):  # else it is cp437: any readable name will do, it is only shown
            name = name.encode("cp437").decode("utf-8")
    return "/".join(_shown(part) for part in name.split("/"))


def _wrong_info(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link" if stat.S_ISLNK(mode) else "no plain file"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & _ODD_FLAGS:
        return f"packed by method {info.compress_type}"
    if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"packed more than {MAX_RATIO} : 1"
    return ""
