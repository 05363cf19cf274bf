"""Write the voice as a folder that stock coqui-tts loads: an adapter (`train.method: lora`) is merged into its base.

    python -m tools.export_voice --out models/exported [--rev HEAD~3 | --voice FOLDER]    (`make export [REV=... | VOICE=...] [OUT=folder]`)

Reads   models/voice, that of a commit or an experiment, or FOLDER; `base` and `train.export_dtype` in params.yaml
Writes  OUT/{model.pth,config.json,vocab.json,reference.wav,README.md}, made anew; git ignores what lies in models/
"""

import argparse
from pathlib import Path

from stages import train
from tools import revisions
from voz.model import device, export, stored, xtts
from voz.model.voice import load_voice
from voz.pipeline import command, files, params
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

OUT = "models/exported"
NAME_ANOTHER = later("name another folder: make export OUT=models/name")


def main() -> None:
    args = parse_args()
    if args.rev and args.voice:
        raise UserError("two voices: of {rev} and in {voice}", "take one of them", rev=args.rev, voice=args.voice)
    folder = Path(args.voice).expanduser() if args.voice else revisions.voice_of(revisions.find(args.rev))
    voice = load_voice(folder, device.pick("cpu"), base=params.base_folder())
    out = Path(args.out or OUT).expanduser()
    if out.exists() and not (out / "model.pth").is_file():
        raise UserError("{out}: exists, and holds no voice", NAME_ANOTHER, out=out)
    if out.resolve() in (folder.resolve(), params.base_folder().resolve()):
        raise UserError("{out}: is the voice or the base itself", NAME_ANOTHER, out=out)
    with files.whole_folder(out) as whole:
        export.write_whole(whole, voice.stored, voice.reference, stored.DTYPES[params.load("train", train.Params).export_dtype])
    size = sum(path.stat().st_size for path in out.iterdir())
    print(tr("export: {out}/, {size_mb:.1f} MB", out=out, size_mb=size / 1e6))
    if not xtts.read_config(out)[1].stock:
        print(tr("export: its base is narrower than XTTS_v2, so that only this project loads it"))


def parse_args() -> argparse.Namespace:
    """The command line. An empty option is one that is not there, as `make` hands them over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rev", default="", help="commit or experiment (default: the voice of the working tree)")
    parser.add_argument("--voice", default="", help="folder of another voice")
    parser.add_argument("--out", default="", help=f"folder (default: {OUT})")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
