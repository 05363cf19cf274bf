"""Speak a text with the voice, or with the voice of an earlier commit or an experiment.

    python -m tools.speak --text "Che, ¿cómo andás?" [--rev HEAD~3] [--out spoken.wav]        (`make speak TEXT="..." REV=...`)

Reads models/voice; an earlier one comes out of DVC's cache (or its remote) into the scratch. The working tree stays as it is.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError

from voz.pipeline import cache, command
from voz.pipeline.command import UserError

VOICE = Path("models/voice")
STEP_VERSION = 1  # raise when the folder of a fetched voice is laid out otherwise


def voice_of(rev: str) -> Path:
    """The folder with the voice of a revision, fetched if it is not there yet.

    Args:
        rev: commit, branch, tag or name of an experiment, of the repository in the working directory.

    Raises:
        UserError: no such revision, it has no voice, or the voice's bytes are neither in the cache nor in a remote.
    """
    with Repo(".") as repo:
        try:
            commit = resolve_rev(repo.scm, rev)
        except RevError as error:
            raise UserError(f"{rev}: no commit and no experiment", "`git log`, `dvc exp show` list them") from error
    store = cache.Cache("voices", STEP_VERSION, params={})
    key = store.key(commit)
    if store.get(key) is None:
        with store.put(key) as folder:
            fetch(rev, commit, folder)
    return store.path(key)


def fetch(rev: str, commit: str, folder: Path) -> None:
    """Fill an empty folder with the voice of a commit; `rev` is what the user called it."""
    try:
        Repo.get(".", str(VOICE), out=str(folder / VOICE.name), rev=commit)
    except (DvcException, DataIndexDirError, FileNotFoundError) as error:
        mend = "`dvc pull` where a remote has it, or `dvc repro` at that commit"
        raise UserError(f"{rev}: its {VOICE} is not to be had ({error})", mend) from error
    for file in sorted((folder / VOICE.name).iterdir()):
        os.replace(file, folder / file.name)
    (folder / VOICE.name).rmdir()


def main() -> None:
    args = parse_args()
    if not args.text.strip():
        raise UserError("nothing to speak", 'make speak TEXT="Che, ¿cómo andás?"')
    voice = voice_of(args.rev) if args.rev else VOICE
    stage = [sys.executable, "-m", "stages.synthesize", "--voice", str(voice), "--text", args.text, "--out", str(args.out)]
    status = subprocess.run(stage, check=False).returncode
    if status:
        sys.exit(status)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rev", default="", help="commit or experiment (default: the voice of the working tree)")
    parser.add_argument("--out", type=Path, default=Path("spoken.wav"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
