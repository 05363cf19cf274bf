"""A folder with outputs of the pipeline, and the server of the review page in it."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from stages import curate
from tests import clips, recordings
from voz.audio import wav
from voz.data import corrections, phone_transcripts
from voz.pipeline import files, ledger, records

ROOT = Path(__file__).parent.parent
REVIEW = Path(sys.prefix) / "review" / "bin" / "python"
CODE = "<img src=x onerror=window.struck=1>"  # as a text and as a file's name
TRUNCATED = f"{CODE}.opus"
TRANSCRIBED = {"mine-3": f"hola {CODE} che", "mine-5": "Bueno, esto lo oyó mal, che."}
CURATE = ["data/clips", "data/transcripts", "data/dataset", "--corrections", "c.csv", "--base", str(ROOT / "models/pocket/xtts")]
CURATE += ["--ledger", "reports/ledger/curate.csv", "--metrics", "reports/curate.json"]


@dataclass
class Site:
    """A folder with the outputs of the pipeline, in which the page's server runs."""

    folder: Path
    clips: dict[str, records.Clip]
    process: subprocess.Popen[str]
    address: str

    @property
    def origin(self) -> str:
        """The address without its token."""
        return self.address[: self.address.index("/", len("http://")) + 1]

    def decisions(self) -> dict[str, corrections.Correction]:
        return corrections.read(self.folder / "c.csv")

    def of(self, name: str) -> corrections.Correction | None:
        return self.decisions().get(self.clips[name].id)


def pipeline(folder: Path) -> dict[str, records.Clip]:
    """Eight clips of the speaker and one of another; a stretch and three files that segment and convert have rejected."""
    sounds = {f"mine-{n}": clips.pcm(f"mine-{n}") for n in range(8)} | {"other-0": clips.pcm("other-0")}
    made = clips.write_clips(folder / "data/clips", sounds)
    unsure = {"mine-5": -1.2, "mine-6": -0.9}
    transcripts = [
        clips.transcript_of(clip, TRANSCRIBED.get(name, clips.texts()[name]), avg_logprob=unsure.get(name, -0.2))
        for name, clip in made.items()
    ]
    records.write(folder / "data/transcripts", transcripts)
    files.write_json(folder / "data/transcripts" / curate.SETTINGS, {"prompt": clips.PROMPT})
    notes = folder / "notes"
    notes.mkdir()
    (notes / TRUNCATED).write_bytes(recordings.no_end())
    (notes / "empty.opus").touch()
    phone_transcripts.add(notes, {made["mine-2"].note: f"lo que anotó el teléfono {CODE}"})
    (notes / "page.html").write_text("<script>window.struck=1</script>")
    account = ledger.Account("convert", [TRUNCATED, "empty.opus", "../c.csv"])
    account.reject(TRUNCATED, TRUNCATED, "truncated", name=TRUNCATED, detail="no end-of-stream page")
    account.reject("empty.opus", "empty.opus", "empty_file", name="empty.opus", detail="zero bytes")
    account.reject("../c.csv", "../c.csv", "damaged", name="../c.csv", detail="a name that points outside of the folder")
    account.close(folder / "reports/ledger/convert.csv")
    clip = made["mine-0"]
    (folder / "data/wav").mkdir()
    wav.write(folder / "data/wav" / f"{clip.note}.wav", clips.pcm("mine-0"))
    records.write(folder / "data/wav", [records.Note(clip.note, "PTT-mine.opus", clip.duration_s, "ogg-opus", 16_000, 0.0)])
    account = ledger.Account("segment", [clip.note])
    account.reject(clip.note, f"{clip.note}-0001000-0003000", "too_short", start_s=1.0, end_s=3.0, detail="2.00 s of speech")
    account.close(folder / "reports/ledger/segment.csv")
    values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"notes": "notes", "corrections": "c.csv"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    (folder / "c.csv").write_text("clip,action,text\n")
    return made


def run_curate(folder: Path) -> dict[str, ledger.Row]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "stages.curate", *CURATE], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return {row.input: row for row in ledger.read(folder / "reports/ledger/curate.csv")}


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """The page's server, until its terminal is closed: it then leaves nothing behind."""
    assert REVIEW.exists(), f"no {REVIEW}: `make .venv/.installed-review`"
    made = pipeline(folder)
    command = [str(REVIEW), "-m", "tools.review.serve", "data/clips", "data/transcripts", "data/wav", "reports/ledger"]
    command += ["--python", sys.executable]
    # Gradio would obey these and let other machines in.
    env = os.environ | {"PYTHONPATH": str(ROOT), "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/"}
    run_curate(folder)
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}/", line)
    assert found, line
    yield Site(folder, made, process, found.group())
    process.send_signal(signal.SIGHUP)  # its terminal is closed
    assert process.wait(30) == 129
    assert list((folder / ".cache").glob(".tmp-*")) == []
    assert not (folder / ".gradio").exists()


def status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
