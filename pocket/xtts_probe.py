"""How far the GPT is: it speaks unseen sentences, and the DVAE makes mels of its codes (no decoder needed).

    python -m pocket.xtts_probe pocket/build/packed pocket/build/xtts [--asr models/pocket/whisper.pt]

Reads   pocket/build/packed, pocket/build/xtts/{gpt.pt,dvae.pt}
Prints  per line: codes generated against codes of the recording, distance of the mels along the best path (DTW, mean absolute
        difference in units of the normalised log-mel; 0.27 is what the DVAE itself loses), with --asr the heard text and CER
"""

import argparse
from pathlib import Path

import librosa
import numpy as np
import torch

from pocket import xtts_base
from pocket.xtts_data import Corpus, Utterance, mel_transform
from voz import compat
from voz.model import xtts
from voz.pipeline import command

TEMPERATURE, TOP_P, TOP_K = 0.7, 0.85, 50


def load(build: Path) -> tuple[xtts.Xtts, torch.nn.Module, int]:
    """The model with the newest GPT in inference mode, the DVAE, and the GPT's step."""
    model = xtts_base.random_model(build)
    content = torch.load(build / "gpt.pt", weights_only=True)
    model.gpt.load_state_dict(content["model"])
    model.gpt.init_gpt_for_inference(kv_cache=True)
    model.gpt.eval()
    dvae = xtts.build_dvae(*xtts.read_config(build))
    dvae.load_state_dict(torch.load(build / "dvae.pt", weights_only=True)["model"])
    return model, dvae.eval(), int(content["step"])


@torch.no_grad()
def speak(model: xtts.Xtts, text: str, reference: torch.Tensor, *, sampled: bool) -> torch.Tensor:
    """Codes of one sentence in the voice of `reference` ([T] at 22 050 Hz), without the stop code. [N]"""
    cond = model.get_gpt_cond_latents(reference[None], 22050, length=12, chunk_length=4)
    ids = torch.tensor(model.tokenizer.encode(text.strip().lower(), lang="es"))[None]
    settings = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "top_k": TOP_K} if sampled else {"do_sample": False}
    codes = model.gpt.generate(cond_latents=cond, text_inputs=ids, num_beams=1, repetition_penalty=1.0, **settings)[0]
    return codes[codes < xtts_base.CODES]


def distance(made: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute difference of two mels along the best path. [80, n], [80, m]"""
    cost = np.abs(made[:, :, None] - wanted[:, None, :]).mean(0)
    _, path = librosa.sequence.dtw(C=cost)
    return float(np.mean([cost[i, j] for i, j in path]))


def griffin_lim(mel: torch.Tensor) -> np.ndarray:
    """A rough sound of a normalised log-mel. [80, n] -> [T] at 22 050 Hz"""
    power = torch.exp(mel * xtts_base.MEL_NORM).numpy()
    bank = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmax=8000, htk=True, norm="slaney")
    spectrum = np.maximum(1e-8, np.linalg.pinv(bank) @ power)
    return librosa.griffinlim(np.sqrt(spectrum), n_iter=32, hop_length=256, win_length=1024, n_fft=1024)


def probe(model: xtts.Xtts, dvae: torch.nn.Module, corpus: Corpus, row: Utterance, *, sampled: bool) -> tuple[torch.Tensor, float, int]:
    """Returns (mel of the spoken line [80, n], its distance, codes of the recording)."""
    clips = [other for other in corpus.rows if other.voice == row.voice and other.id != row.id]
    reference = torch.cat([corpus.read(other) for other in clips[:3]])
    codes = speak(model, row.text, reference, sampled=sampled)
    if len(codes) < 2:
        return torch.zeros(80, 4), float("nan"), -(-row.samples // 1024)
    mel = dvae.decode(codes[None])[0][0].detach()
    wanted = mel_transform(1024)(corpus.read(row)[None])[0]
    return mel, distance(mel.numpy(), wanted.numpy()), -(-row.samples // 1024)


def main() -> None:
    args = parse_args()
    compat.load_torchaudio_without_extension()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    corpus = Corpus(args.packed, roles=("gpt",), splits=("dev",))
    model, dvae, step = load(args.build)
    rows = corpus.rows[:: max(1, len(corpus.rows) // args.lines)][: args.lines]
    listen = None
    if args.asr:
        import jiwer
        import whisper

        listener = whisper.load_model(str(args.asr))
        options = whisper.DecodingOptions(language="es", without_timestamps=True, fp16=False)

        def listen(mel: torch.Tensor) -> str:
            wav = librosa.resample(griffin_lim(mel), orig_sr=22050, target_sr=16000).astype(np.float32)
            window = 2 * listener.dims.n_audio_ctx * whisper.audio.HOP_LENGTH
            return listener.decode(whisper.log_mel_spectrogram(whisper.pad_or_trim(wav, window))[None], options)[0].text

    distances, errors = [], []
    for row in rows:
        mel, gap, codes = probe(model, dvae, corpus, row, sampled=args.sampled)
        distances.append(gap)
        heard = ""
        if listen:
            heard = listen(mel)
            errors.append(jiwer.cer(row.text.lower(), heard.lower()))
        print(f"{mel.shape[1] // 4:4d}/{codes:4d} codes  {gap:.3f}  {row.text}  {'-> ' + heard if listen else ''}", flush=True)
    print(f"GPT step {step}: mean distance {np.nanmean(distances):.3f}" + (f", CER {100 * np.mean(errors):.1f} %" if errors else ""))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--asr", type=Path)
    parser.add_argument("--lines", type=int, default=12)
    parser.add_argument("--sampled", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
