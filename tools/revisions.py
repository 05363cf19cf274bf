"""What a commit or an experiment holds: its voice, fetched into the cache, and its text files. The working tree stays as it is."""

import os
from dataclasses import dataclass
from pathlib import Path

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError

from voz.pipeline import cache
from voz.pipeline.command import UserError
from voz.pipeline.language import later

VOICE = Path("models/voice")
WORKSPACE = "workspace"  # what DVC calls the working tree
STEP_VERSION = 1  # raise when a fetched voice is stored in another way


@dataclass(frozen=True)
class Revision:
    """A commit, or the working tree.

    name: as the user called it.
    commit: its hash; "" for the working tree.
    subject: first line of the commit's message.
    """

    name: str
    commit: str
    subject: str


def find(name: str) -> Revision:
    """A revision of the repository in the working directory.

    Args:
        name: commit, branch, tag or name of an experiment; "" or `workspace` for the working tree.

    Raises:
        UserError: there is no such revision.
    """
    if name in ("", WORKSPACE):
        return Revision(WORKSPACE, "", "")
    with Repo(".") as repo:
        try:
            commit = resolve_rev(repo.scm, name)
        except RevError as error:
            raise UserError("{name}: neither a commit nor an experiment", "`git log` and `dvc exp show` list them", name=name) from error
        message = str(repo.scm.resolve_commit(commit).message).strip()
    return Revision(name, commit, message.partition("\n")[0])


def voice_of(revision: Revision) -> Path:
    """The folder with the voice of a revision, fetched unless the cache has it.

    Raises:
        UserError: it has no voice, or the voice is neither in DVC's cache nor in a remote.
    """
    if not revision.commit:
        return VOICE
    store = cache.Cache("voices", STEP_VERSION, params={})
    key = store.key(revision.commit)
    if store.get(key) is None:
        with store.put(key) as folder:
            _fetch(revision, folder)
    return store.path(key)


def _fetch(revision: Revision, folder: Path) -> None:
    """Fill an empty folder with the voice of a commit."""
    try:
        Repo.get(".", str(VOICE), out=str(folder / VOICE.name), rev=revision.commit)
    except (DvcException, DataIndexDirError, FileNotFoundError) as error:
        fix = later("`dvc pull` where a remote has it, or `dvc repro` at that commit")
        raise UserError("{name}: its {voice} cannot be fetched ({error})", fix, name=revision.name, voice=VOICE, error=error) from error
    for file in sorted((folder / VOICE.name).iterdir()):
        os.replace(file, folder / file.name)
    (folder / VOICE.name).rmdir()


def read_text(revision: Revision, path: str) -> str | None:
    """A text file of a revision, whether git or DVC has it; None if it has no such file, or no remote and no cache has its content."""
    if not revision.commit:
        return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None
    try:
        return str(dvc.api.read(path, repo=".", rev=revision.commit, encoding="utf-8"))
    except (DvcException, DataIndexDirError, FileNotFoundError):
        return None
