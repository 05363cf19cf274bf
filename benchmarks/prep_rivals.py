"""What a user would run without this project: ffmpeg or pysox once per file; then silero-vad on each wav.

    python -m benchmarks.prep_rivals ffmpeg NOTES WAVS [--processes N]
    python -m benchmarks.prep_rivals pysox NOTES_AS_WAV WAVS [--processes N]
    python -m benchmarks.prep_rivals vad WAVS [--processes N]

With one process, this is the loop that the READMEs of these tools show; with more, a pool runs the same calls.
"""

import argparse
import functools
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

RATE_HZ, VAD_RATE_HZ = 22_050, 16_000


def ffmpeg(note: Path, wavs: Path) -> None:
    """Convert one file."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(note), "-ac", "1", "-ar", str(RATE_HZ), str(wavs / f"{note.stem}.wav")]
    subprocess.run(command, check=True)


def pysox(note: Path, wavs: Path) -> None:
    """Convert one file, which must be a wav: Debian's SoX reads no Opus."""
    import sox

    transform = sox.Transformer()
    transform.convert(samplerate=RATE_HZ, n_channels=1, bitdepth=16)
    transform.build_file(str(note), str(wavs / f"{note.stem}.wav"))


def vad(wav: Path) -> int:
    """Number of stretches of speech, by silero's own `get_speech_timestamps`."""
    import silero_vad
    import soundfile
    import soxr

    pcm, rate_hz = soundfile.read(wav, dtype="float32")
    pcm_16k = soxr.resample(pcm, rate_hz, VAD_RATE_HZ)
    return len(silero_vad.get_speech_timestamps(pcm_16k, _model(), sampling_rate=VAD_RATE_HZ))


@functools.cache
def _model() -> object:
    """Silero, loaded once per process, on one thread as its README recommends."""
    import silero_vad
    import torch

    torch.set_num_threads(1)
    return silero_vad.load_silero_vad()


def main() -> None:
    """Run one of them on a folder."""
    args = parse_args()
    files = sorted(path for path in args.source.iterdir() if path.suffix in (".opus", ".wav"))
    work: Callable[[Path], object] = vad
    if args.tool != "vad":
        args.wavs.mkdir(parents=True, exist_ok=True)
        work = functools.partial({"ffmpeg": ffmpeg, "pysox": pysox}[args.tool], wavs=args.wavs)
    if args.processes == 1:
        for file in files:
            work(file)
        return
    with ProcessPoolExecutor(args.processes) as pool:
        for _ in pool.map(work, files):
            pass


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=("ffmpeg", "pysox", "vad"))
    parser.add_argument("source", type=Path)
    parser.add_argument("wavs", type=Path, nargs="?")
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
