"""Look for what must not be in git: sound, words of a person, archives, weights, credentials, consent records.

    python -m tools.check_private [--history | --install-hook]        (`make check-private`, with HISTORY=1 or HOOK=1)

Reads   git's index, which the next commit takes; or every commit of every branch
Writes  nothing; with --install-hook, a pre-commit hook that runs this check
Ends with status 2 if it finds something. A file counts by its content too, so another name does not hide it.
"""

import argparse
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tools import private_content
from tools.whatsapp import encodings
from tools.whatsapp.candidates import EXTENSIONS
from voz.audio import sniff
from voz.pipeline import command, files
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

SYNTHETIC = ("data/demo/", "tests/fixtures/", "models/pocket/")  # nobody's voice, and nobody's words
PERSONAL = ("data/", "outputs/", "reports/ledger/", "reports/epochs/", "reports/lines/", "reports/report.html", ".cache/")
PUBLIC = re.compile(r"data/texts\.txt|data/.*\.dvc|data/(.*/)?\.gitignore")
_AUDIO = EXTENSIONS | set(".ogv .mp2 .m4b .m4r .awb .caf .aif .aiff .aifc .wma .webm .weba .mka .mkv .mov .3ga .3g2 .spx".split())
_ARCHIVES = set(".zip .7z .rar .tar .tgz .gz .xz .bz2 .zst".split())
_WEIGHTS = set(".pth .pt .ckpt .safetensors .onnx .npz .npy".split())
_CODE = (".py",)  # the tests write chats
_ARCHIVE_HEADS = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ\x00", b"BZh9", b"\x28\xb5\x2f\xfd")
_CREDENTIAL_NAME = re.compile(
    r"\.env(\..*)?|.*\.(pem|key|p12|pfx)|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|credentials(\.json)?|config\.local", re.IGNORECASE
)
_CREDENTIAL = re.compile(
    rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bhf_[A-Za-z0-9]{30,64}\b"
    rb"|^\s{0,8}(password|secret_access_key|connection_string|client_secret)\s{0,4}[=:]\s{0,4}[\"']?[A-Za-z0-9+/]{12}",
    re.MULTILINE,
)
_CONSENT = [re.compile(rb"^" + field + rb"\s{0,4}:", re.MULTILINE) for field in (b"speaker", b"statement", b"scope")]
_DELETED, _SUBMODULE = "000000", "160000"  # git's modes: no file, another repository
_MAX_BYTES = 16 * 2**20  # of a blob, for the searches of its text
# A worktree has no environment of its own: the checkout that it belongs to has.
HOOK = """#!/bin/sh
# Written by `make check-private HOOK=1`.
python=.venv/bin/python
[ -x "$python" ] || python="$(git rev-parse --git-common-dir)/../.venv/bin/python"
exec "$python" -m tools.check_private
"""


class Blob(NamedTuple):
    """A version of a file in git."""

    oid: str
    path: str


def in_index() -> list[Blob]:
    """What the next commit would hold. Links to other repositories (submodules) have no content."""
    listed = _git("ls-files", "--stage", "-z").decode("utf-8", "surrogateescape").split("\0")
    rows = [(entry.partition("\t")[0].split(), entry.partition("\t")[2]) for entry in listed if entry]
    return [Blob(oid, path) for (mode, oid, _), path in rows if mode != _SUBMODULE]


def in_history() -> list[Blob]:
    """Every version of every file under each of its names, of all branches, tags and experiments."""
    log = _git("log", "--all", "--root", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=", "-z")
    fields = log.decode("utf-8", "surrogateescape").split("\0")
    changes = zip(fields[::2], fields[1::2], strict=False)  # ":<old mode> <mode> <old id> <id> <status>", path
    rows = {(change.split()[3], path) for change, path in changes if change.split()[1] not in (_DELETED, _SUBMODULE)}
    return [Blob(oid, path) for oid, path in rows]


def problem(path: str, data: bytes) -> str:
    """Why a file must not be in git; empty if it may."""
    if path.startswith(SYNTHETIC):
        return ""
    name, head = PurePosixPath(path).name.lower(), data[: sniff.HEAD_BYTES]
    suffix = PurePosixPath(name).suffix
    if suffix in _AUDIO or sniff.sniff(head) or sniff.is_playlist(head):
        return later("sound")
    if suffix in _WEIGHTS or private_content.is_weights(head):
        return later("weights")
    if suffix in _ARCHIVES or head.startswith(_ARCHIVE_HEADS):
        return later("an archive, or weights")
    if _CREDENTIAL_NAME.fullmatch(name) or _CREDENTIAL.search(data[:_MAX_BYTES]):
        return later("a credential")
    if name == "consent.yaml" or (suffix in ("", ".yaml", ".yml") and all(field.search(data[:_MAX_BYTES]) for field in _CONSENT)):
        return later("a consent record")
    if path.startswith(PERSONAL) and not PUBLIC.fullmatch(path):
        return later("data of a person")
    if not private_content.is_text(data):
        return ""
    text = encodings.decode(data[:_MAX_BYTES]).text
    if suffix not in _CODE and private_content.is_chat(text):
        return later("a chat")
    return later("data of a person") if private_content.has_rows(text) else ""


def find(blobs: list[Blob]) -> list[tuple[Blob, str]]:
    """The blobs that must not be in git, each with the reason."""
    wanted = [blob for blob in sorted(set(blobs), key=lambda blob: (blob.path, blob.oid)) if not blob.path.startswith(SYNTHETIC)]
    found = [(blob, problem(blob.path, data)) for blob, data in _contents(wanted)]
    return [(blob, reason) for blob, reason in found if reason]


def install_hook() -> Path:
    """Write the pre-commit hook.

    Raises:
        UserError: the repository has another one, or shares its hooks with others.
    """
    path = Path(_git("rev-parse", "--git-path", "hooks/pre-commit").decode().strip())
    own = Path(_git("rev-parse", "--git-common-dir").decode().strip()).resolve()
    if not path.resolve().is_relative_to(own):
        raise UserError(
            "{path}: a folder of hooks that other repositories may share (git's core.hooksPath)",
            "`git config --local core.hooksPath .git/hooks` gives this one its own",
            path=path.parent,
        )
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") != HOOK:
        raise UserError(
            "{path}: there is another hook", "add the line `.venv/bin/python -m tools.check_private || exit 1` to it", path=path
        )
    files.write_text(path, HOOK)
    path.chmod(0o755)
    return path


def _contents(blobs: list[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """The bytes of each blob, by one process of git."""
    with subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for blob in blobs:
            process.stdin.write(blob.oid.encode() + b"\n")
            process.stdin.flush()
            size = int(process.stdout.readline().split()[2])
            yield blob, process.stdout.read(size + 1)[:-1]


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    if done.returncode:
        raise UserError("git: {message}", "run this in the repository", message=done.stderr.decode(errors="replace").strip())
    return done.stdout


def main() -> None:
    args = parse_args()
    if args.install_hook:
        print(tr("{hook}: checks what `git commit` takes; `git commit --no-verify` passes it by", hook=install_hook()))
        return
    found = find(in_history() if args.history else in_index())
    for blob, reason in found:
        print(f"{files.printable(blob.path)}: {tr(reason)}" + (f" ({blob.oid[:12]})" if args.history else ""))
    if found and args.history:
        raise UserError(
            "{count} files in git's history",
            "`git filter-repo --path FILE --invert-paths` rewrites it; what was pushed is public",
            count=len(found),
        )
    if found:
        raise UserError(
            "{count} files that must not be in git", "`git rm --cached FILE` for each; DVC keeps data (docs/privacy.md)", count=len(found)
        )
    print(tr("check-private: nothing of a person in any commit") if args.history else tr("check-private: nothing of a person in the index"))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", action="store_true", help="every commit, not only the index")
    parser.add_argument("--install-hook", action="store_true", help="run this before every commit of this repository")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
