"""XTTS models of any width, read without writing their files.

coqui-tts hard-codes the widths of the DVAE, the decoder and the speaker encoder. A base whose `config.json` has a key `widths` (the
pocket models) is built with those; a stock base has no such key and is built with coqui's.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voz import compat
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.data.base_files import BASE_FILES as BASE_FILES  # `as`: also for those who import it from here
from voz.model import checkpoint
from voz.pipeline.command import UserError
from voz.pipeline.language import later

with compat.torch_threads_kept():
    from TTS.config.shared_configs import BaseDatasetConfig
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig
    from TTS.tts.configs.xtts_config import XttsConfig as XttsConfig
    from TTS.tts.layers.tortoise.arch_utils import (
        TorchMelSpectrogram as TorchMelSpectrogram,  # `as`: also for those who import it from here
    )
    from TTS.tts.layers.xtts import hifigan_decoder
    from TTS.tts.layers.xtts.dvae import DiscreteVAE
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer as VoiceBpeTokenizer
    from TTS.tts.layers.xtts.trainer import gpt_trainer as gpt_trainer
    from TTS.tts.models import xtts as coqui_xtts
    from TTS.tts.models.xtts import Xtts as Xtts
compat.repair_generation_config()

_RESTORE = later("restore the file: `dvc checkout`, `make base`, or for the demo `git checkout -- models/pocket`")
_NUMBERS = (np.float32, np.float64, np.int64)
_MOVED = "TTS.tts.models.xtts"  # the module of the classes in the original XTTS_v2 checkpoint, which has moved since


@dataclass(frozen=True)
class Widths:
    """Widths that coqui-tts hard-codes; the defaults are coqui's.

    decoder_upsampling: factors from the decoder's frames to samples.
    """

    dvae_hidden: int = 512
    decoder_channels: int = 512
    decoder_upsampling: tuple[int, ...] = (8, 8, 2, 2)
    speaker_filters: tuple[int, ...] = (32, 64, 128, 256)

    @property
    def stock(self) -> bool:
        """True if unmodified coqui-tts can load such a model."""
        return self == Widths()


@dataclass(frozen=True)
class Conditioning:
    """What the model is conditioned on, computed from a reference recording.

    latents: for the GPT. [1, 32, C]
    speaker: for the decoder, of unit length. [1, 512, 1]
    """

    latents: torch.Tensor
    speaker: torch.Tensor


def require(folder: Path, files: tuple[str, ...] = BASE_FILES) -> None:
    """Raise a UserError if files are missing in a model folder; it names them and the command that fetches them."""
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise UserError(
            "{folder}: {missing} missing",
            "run `make base` (XTTS_v2) or `git checkout -- models/pocket` (demo)",
            folder=folder,
            missing=", ".join(missing),
        )


def read_config(folder: Path) -> tuple[XttsConfig, Widths]:
    """Read a model folder's `config.json`.

    Raises:
        UserError: the file is missing or is not an XTTS configuration.
    """
    require(folder, ("config.json",))
    path = folder / "config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        widths: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.pop("widths", {}).items()}
        config = XttsConfig()
        config.from_dict(data)
        return config, Widths(**widths)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            "{path}: not an XTTS configuration ({error})",
            "restore the file, or fetch the base again with `make base`",
            path=path,
            error=error,
        ) from error


def write_config(folder: Path, config: XttsConfig, widths: Widths) -> None:
    """Write `config.json`, with `widths` only if they differ from coqui's."""
    data: dict[str, Any] = config.to_dict()
    if not widths.stock:
        data["widths"] = asdict(widths)
    (folder / "config.json").write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_checkpoint(path: Path) -> Any:
    """Read a checkpoint with `weights_only=True`, allowing the few classes that are in the original XTTS_v2 file, and the numbers of
    NumPy in which a trainer noted its loss.

    Raises:
        UserError: missing, truncated, or a pickle with anything but weights.
    """
    classes: tuple[type, ...] = (XttsConfig, XttsArgs, XttsAudioConfig, BaseDatasetConfig)
    number = np.float64(0).__reduce__()[0]  # what pickle rebuilds a NumPy number with; it has had two addresses
    numbers = [(number, "numpy.core.multiarray.scalar"), (number, "numpy._core.multiarray.scalar"), np.dtype]
    known: list[Any] = [*classes, *((c, f"{_MOVED}.{c.__name__}") for c in classes), *numbers, *(type(np.dtype(t)) for t in _NUMBERS)]
    try:
        with torch.serialization.safe_globals(known):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError("{path}: missing", "run `make base`, or `dvc pull`", path=path) from error
    except checkpoint.UNREADABLE as error:
        raise UserError("{path}: not a readable checkpoint ({reason})", _RESTORE, path=path, reason=checkpoint.fault(error)) from error


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights of an `Xtts` from the `model.pth` of a base or a voice, whether coqui's trainer or ours wrote it, or only weights.

    Raises:
        UserError: see `read_checkpoint`; or the file holds something else.
    """
    content = read_checkpoint(path)
    state: Any = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()):
        state = {}
    if not any(key.removeprefix("xtts.").startswith("gpt.") for key in state):
        raise UserError("{path}: not an XTTS checkpoint (it has no weights of a model)", _RESTORE, path=path)
    copies = ("gpt.gpt_inference.", "gpt.gpt.wte.")  # init_gpt_for_inference adds them: the same tensors under other names
    unused = ("torch_mel_spectrogram_style_encoder", "torch_mel_spectrogram_dvae", "dvae")
    named = {key.removeprefix("xtts."): value for key, value in state.items()}
    return {key: value for key, value in named.items() if key.split(".")[0] not in unused and not key.startswith(copies)}


@contextmanager
def widths_applied(widths: Widths) -> Iterator[None]:
    """Within this block coqui's constructors of the DVAE, the decoder and the speaker encoder use `widths`."""
    kept = gpt_trainer.DiscreteVAE, coqui_xtts.HifiDecoder, hifigan_decoder.ResNetSpeakerEncoder
    gpt_trainer.DiscreteVAE = _Defaults(DiscreteVAE, hidden_dim=widths.dvae_hidden)
    coqui_xtts.HifiDecoder = functools.partial(
        hifigan_decoder.HifiDecoder,
        upsample_initial_channel_decoder=widths.decoder_channels,
        upsample_rates_decoder=list(widths.decoder_upsampling),
        upsample_kernel_sizes_decoder=[2 * rate - rate % 2 for rate in widths.decoder_upsampling],  # so that odd factors keep the length
    )
    hifigan_decoder.ResNetSpeakerEncoder = functools.partial(kept[2], num_filters=list(widths.speaker_filters))
    try:
        yield
    finally:
        gpt_trainer.DiscreteVAE, coqui_xtts.HifiDecoder, hifigan_decoder.ResNetSpeakerEncoder = kept


class _Defaults:
    """Calls a class with some keyword arguments replaced, even those that the caller passes."""

    def __init__(self, cls: type, **replaced: Any) -> None:
        self.cls, self.replaced = cls, replaced

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.cls(*args, **{**kwargs, **self.replaced})


def read_tokenizer(folder: Path) -> VoiceBpeTokenizer:
    """The text tokenizer of a model folder.

    Raises:
        UserError: `vocab.json` is missing or damaged.
    """
    require(folder, ("vocab.json",))
    path = folder / "vocab.json"
    try:
        return VoiceBpeTokenizer(vocab_file=str(path))
    except Exception as error:
        raise UserError("{path}: not a vocabulary ({reason})", _RESTORE, path=path, reason=str(error).splitlines()[0]) from error


def build_model(config: XttsConfig, widths: Widths, tokenizer: VoiceBpeTokenizer) -> Xtts:
    """An `Xtts` with random weights, whose GPT has the text tokens of `tokenizer`."""
    config.model_args.gpt_number_text_tokens = tokenizer.get_number_tokens()
    config.model_args.gpt_start_text_token = tokenizer.tokenizer.token_to_id("[START]")
    config.model_args.gpt_stop_text_token = tokenizer.tokenizer.token_to_id("[STOP]")
    with widths_applied(widths):
        model = Xtts(config)
    model.tokenizer = tokenizer
    return model


def build_dvae(config: XttsConfig, widths: Widths) -> DiscreteVAE:
    """The DVAE that `GPTTrainer` builds, with random weights. The numbers are those of its constructor."""
    return DiscreteVAE(
        channels=80,
        normalization=None,
        positional_dims=1,
        num_tokens=config.model_args.gpt_num_audio_tokens - 2,
        codebook_dim=512,
        hidden_dim=widths.dvae_hidden,
        num_resnet_blocks=3,
        kernel_size=3,
        num_layers=2,
        use_transposed_convs=False,
    )


def load_model(folder: Path, *, device: torch.device | str = "cpu") -> Xtts:
    """Load a base or a voice for inference, from `model.pth`, `config.json` and `vocab.json`: in float32 and eval mode.

    Raises:
        UserError: a file is missing, damaged, or its weights do not fit its configuration.
    """
    require(folder, ("model.pth", "config.json", "vocab.json"))
    config, widths = read_config(folder)
    model = build_model(config, widths, read_tokenizer(folder))
    load_weights(model, folder / "model.pth")
    model.hifigan_decoder.eval()
    model.gpt.init_gpt_for_inference(kv_cache=True)
    model.gpt.eval()
    return model.to(device)


def load_weights(model: Xtts, path: Path) -> None:
    """Copy a checkpoint's weights into `model`, converted to its dtype. No weight may be missing.

    Raises:
        UserError: names of weights or their shapes differ.
    """
    try:
        missing, unexpected = model.load_state_dict(read_weights(path), strict=False)
    except RuntimeError as error:
        raise UserError(
            "{path}: weights do not fit config.json ({reason})",
            "use files of one model",
            path=path,
            reason=str(error).splitlines()[-1].strip(),
        ) from error
    missing = [key for key in missing if not key.startswith("gpt.gpt_inference.")]
    if missing or unexpected:
        raise UserError(
            "{path}: {count} weights missing, {unknown} unknown: {names}",
            "use files of one model",
            path=path,
            count=len(missing),
            unknown=len(unexpected),
            names=[*missing, *unexpected][:3],
        )


@torch.inference_mode()
def speaker_embedding(model: Xtts, pcm: np.ndarray) -> np.ndarray:
    """Unit vector of XTTS's speaker encoder for a recording at 22 050 Hz. float32 [T] -> float32 [512]"""
    embedding = model.get_speaker_embedding(torch.from_numpy(np.ascontiguousarray(pcm)).float()[None], SAMPLE_RATE_HZ)
    return np.asarray(embedding.flatten().float().cpu().numpy())


@torch.inference_mode()
def conditioning(model: Xtts, pcm: np.ndarray, *, rate_hz: int = SAMPLE_RATE_HZ) -> Conditioning:
    """The same as coqui's `get_conditioning_latents` of a recording, with the lengths in the model's config.

    Args:
        pcm: float32 in [-1, 1], mono, at `rate_hz`. [T]
    """
    config = model.config
    audio = torch.from_numpy(np.ascontiguousarray(pcm)).float()[None, : rate_hz * config.max_ref_len].to(model.device)
    latents = model.get_gpt_cond_latents(audio, rate_hz, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len)
    return Conditioning(latents=latents, speaker=model.get_speaker_embedding(audio, rate_hz))
