"""The loss of an XTTS GPT on clips: cross entropy of the text and of the audio codes that it is to predict.

What coqui's `gpt.py` computes, but as sums over targets, with every row's own mask, and with the lengths on the CPU: reading one from an
accelerator, as gpt.py's forward does for each clip, makes it wait.
"""

import torch
import torch.nn.functional as F

from voz.model.batches import Batch, Sample
from voz.model.dvae import STRIDE

IGNORED = -1  # target of a position that does not count in the loss (gpt.py's ignore_index)
STOPS = 4  # stop codes after a clip that count in the loss: gpt.py takes ceil(length / 1024) + 3 codes and one more


def losses(gpt: torch.nn.Module, batch: Batch, latents: torch.Tensor, *, masked: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses of a batch as sums over its targets (see `counts`), from which a mean over several batches can be made.

    Args:
        latents: what the batch is conditioned on. [B, 32, C]
        masked: False counts every code, as coqui's eval_step does.

    Returns:
        Cross entropy of the text and of the audio codes, in nats, both scalars.
    """
    device, lengths, stop = batch.text.device, code_lengths(batch), gpt.stop_audio_token
    texts = F.pad(batch.text, (1, 1), value=gpt.stop_text_token)
    codes = F.pad(_filled(batch.codes[:, : int(lengths.max())], lengths, stop), (1, STOPS), value=stop)
    texts[:, 0], codes[:, 0] = gpt.start_text_token, gpt.start_audio_token
    text_logits, code_logits = gpt.get_logits(
        gpt.text_embedding(texts) + gpt.text_pos_embedding(texts),
        gpt.text_head,
        gpt.mel_embedding(codes) + gpt.mel_pos_embedding(codes),
        gpt.mel_head,
        prompt=latents,
        attn_mask_text=_before(batch.text_lengths + 1, texts.shape[1]).to(device),
        attn_mask_mel=_before(lengths + STOPS, codes.shape[1]).to(device),
    )  # [B, tokens, L + 2], [B, codes, C + 5]
    text_targets = _filled(texts[:, 1:], batch.text_lengths + 1, IGNORED)
    return _summed(text_logits[..., :-1], text_targets), _summed(code_logits, code_targets(batch, stop, masked=masked))


def _summed(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy in nats, summed over all targets that count. [B, V, L], [B, L]

    Of flat rows: on CUDA, torch's loss over two dimensions adds up in an order that changes.
    """
    return F.cross_entropy(logits.transpose(1, 2).flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")


@torch.no_grad()
def of_clip(gpt: torch.nn.Module, sample: Sample, latents: torch.Tensor) -> float:
    """Mean cross entropy of a clip's codes, in nats, when the GPT is conditioned as in synthesis: on another recording.

    Args:
        latents: conditioning of that recording. [1, 32, C]
    """
    batch = Batch(
        text=sample.tokens[None],
        text_lengths=torch.tensor([len(sample.tokens)]),
        codes=sample.codes[None],
        wav_lengths=torch.tensor([sample.length]),
        conditioning=torch.empty(1, 0),
        slices=torch.zeros(1, 2, dtype=torch.int64),
        latents=latents,
    )
    _, total = losses(gpt, batch.to(latents.device), latents, masked=False)
    return float(total) / counts(batch, masked=False)[1]


def counts(batch: Batch, *, masked: bool = True) -> tuple[int, int]:
    """Number of targets of a batch: text tokens with one stop token per clip, and audio codes."""
    return int(batch.text_lengths.sum()) + len(batch.text), int(_counted(batch, masked=masked).sum())


def code_targets(batch: Batch, stop: int, *, masked: bool) -> torch.Tensor:
    """The codes to predict: those of each clip and 4 stop codes; `IGNORED` after them and, if masked, in the clip's slice.

    Returns:
        int64 [B, longest clip in codes + 5], which is gpt.py's shape.
    """
    lengths = code_lengths(batch)
    codes = F.pad(_filled(batch.codes[:, : int(lengths.max())], lengths, stop), (0, STOPS + 1), value=stop)
    return codes.masked_fill(~_counted(batch, masked=masked).to(codes.device), IGNORED)


def code_lengths(batch: Batch) -> torch.Tensor:
    """The codes of each clip. int64 [B], on the CPU"""
    return torch.ceil(batch.wav_lengths / STRIDE).long()


def _counted(batch: Batch, *, masked: bool) -> torch.Tensor:
    """Which of `code_targets` count in the loss. bool [B, C + 5], on the CPU"""
    lengths = code_lengths(batch)
    width = int(lengths.max()) + STOPS + 1
    counted = _before(lengths + STOPS, width)
    if masked:
        starts, ends = (batch.slices // STRIDE).T
        counted &= _before(starts, width) | ~_before(torch.minimum(ends, lengths), width)
    return counted


def _before(ends: torch.Tensor, width: int) -> torch.Tensor:
    """Which places of each row come before its end. int64 [B] -> bool [B, width], on the CPU"""
    return torch.arange(width) < ends[:, None]


def _filled(rows: torch.Tensor, ends: torch.Tensor, value: int) -> torch.Tensor:
    """The rows with a value from their ends on. int64 [B, N] -> [B, N]"""
    return rows.masked_fill(~_before(ends, rows.shape[1]).to(rows.device), value)
