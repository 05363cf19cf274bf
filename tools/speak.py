"""Speak a text with the voice, or with the voice of an earlier commit or an experiment.

    python -m tools.speak --text "Che, ¿cómo andás?" [--rev HEAD~3] [--out spoken.wav]        (`make speak TEXT="..." REV=...`)

Reads   models/voice; an earlier one comes from DVC's cache or its remote into .cache, and the working tree stays as it is
        the settings of `synthesize` in params.yaml: the text sounds as that stage's first try
Writes  OUT, mono PCM16, 24 000 Hz
"""

import argparse
import os
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError

from stages.synthesize import Params, print_reading
from voz.audio import wav
from voz.model import device, synthesis
from voz.model.voice import load_voice, write_wav
from voz.pipeline import cache, command, params
from voz.pipeline.command import UserError

VOICE = Path("models/voice")
STEP_VERSION = 1  # raise when a fetched voice is stored in another way


def voice_of(rev: str) -> Path:
    """The folder with the voice of a revision, fetched unless the cache has it.

    Args:
        rev: commit, branch, tag or name of an experiment, of the repository in the working directory.

    Raises:
        UserError: no such revision, it has no voice, or the voice is neither in DVC's cache nor in a remote.
    """
    with Repo(".") as repo:
        try:
            commit = resolve_rev(repo.scm, rev)
        except RevError as error:
            raise UserError(f"{rev}: neither a commit nor an experiment", "`git log` and `dvc exp show` list them") from error
    store = cache.Cache("voices", STEP_VERSION, params={})
    key = store.key(commit)
    if store.get(key) is None:
        with store.put(key) as folder:
            fetch(rev, commit, folder)
    return store.path(key)


def fetch(rev: str, commit: str, folder: Path) -> None:
    """Fill an empty folder with the voice of a commit, which the user called `rev`."""
    try:
        Repo.get(".", str(VOICE), out=str(folder / VOICE.name), rev=commit)
    except (DvcException, DataIndexDirError, FileNotFoundError) as error:
        fix = "`dvc pull` where a remote has it, or `dvc repro` at that commit"
        raise UserError(f"{rev}: its {VOICE} cannot be fetched ({error})", fix) from error
    for file in sorted((folder / VOICE.name).iterdir()):
        os.replace(file, folder / file.name)
    (folder / VOICE.name).rmdir()


def main() -> None:
    args = parse_args()
    if not args.text.strip():
        raise UserError("nothing to speak", 'make speak TEXT="Che, ¿cómo andás?"')
    p, compute = params.load("synthesize", Params), params.load("compute", params.Compute)
    device.seed_everything(p.seed)
    voice = load_voice(voice_of(args.rev) if args.rev else VOICE, device.pick(compute.device))
    lines = synthesis.number([voice.readable(args.text)], seed=p.seed)
    (pcm,) = voice.speak(lines, p)
    write_wav(args.out, pcm)
    print(f"{args.out}   {len(pcm) / wav.OUTPUT_RATE_HZ:.1f} s")
    print_reading(args.text, lines[0].text)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rev", default="", help="commit or experiment (default: the voice of the working tree)")
    parser.add_argument("--out", type=Path, default=Path("spoken.wav"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
