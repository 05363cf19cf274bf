"""A Whisper model in CTranslate2's file format, as a checkpoint that openai-whisper loads.

The format (version 6 of CTranslate2's `model.bin`, python/ctranslate2/specs/model_spec.py): version, name of the spec, revision,
then each variable as name, shape, type and data, then aliases. Numbers are little-endian; a string is its length and its bytes.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

VERSION, SPEC = 6, "WhisperSpec"
HEAD_WIDTH = 64  # of every Whisper
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class _Reader:
    """Takes numbers, strings and arrays off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError(f"cut short: {self.at + count} bytes needed, {len(self.data)} there")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0])

    def string(self) -> str:
        return self.take(self.number("H"))[:-1].decode()


def read(parts: list[Path]) -> dict[str, np.ndarray]:
    """The variables of a `model.bin` that comes in parts, by name.

    Raises:
        ValueError: another version or model, or the file is cut short.
    """
    reader = _Reader(b"".join(part.read_bytes() for part in parts))
    version, spec = reader.number("I"), reader.string()
    if (version, spec) != (VERSION, SPEC):
        raise ValueError(f"{parts[0]}: version {version} of {spec!r}; expected {VERSION} of {SPEC!r}")
    reader.number("I")  # revision of the spec
    variables = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind, size = reader.number("B"), reader.number("I")
        variables[name] = np.frombuffer(reader.take(size), _TYPES[kind]).reshape(shape)
    return variables


def to_checkpoint(variables: dict[str, np.ndarray]) -> dict[str, Any]:
    """`dims` and `model_state_dict` as `whisper.load_model` reads them, weights in float16."""
    state: dict[str, torch.Tensor] = {}
    layers = {side: _layers(variables, state, side) for side in ("encoder", "decoder")}
    for number in (1, 2):
        for kind in ("weight", "bias"):
            state[f"encoder.conv{number}.{kind}"] = _tensor(variables, f"encoder/conv{number}/{kind}")
    state["encoder.positional_embedding"] = _tensor(variables, "encoder/position_encodings/encodings")
    state["decoder.positional_embedding"] = _tensor(variables, "decoder/position_encodings/encodings")
    state["decoder.token_embedding.weight"] = _tensor(variables, "decoder/embeddings/weight")
    _norm(variables, state, "encoder.ln_post", "encoder/layer_norm")
    _norm(variables, state, "decoder.ln", "decoder/layer_norm")
    width = state["encoder.conv1.weight"].shape[0]
    dims = {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_vocab": state["decoder.token_embedding.weight"].shape[0],
        "n_audio_ctx": state["encoder.positional_embedding"].shape[0],
        "n_audio_state": width,
        "n_audio_head": width // HEAD_WIDTH,
        "n_audio_layer": layers["encoder"],
        "n_text_ctx": state["decoder.positional_embedding"].shape[0],
        "n_text_state": width,
        "n_text_head": width // HEAD_WIDTH,
        "n_text_layer": layers["decoder"],
    }
    return {"dims": dims, "model_state_dict": {name: value.half() for name, value in state.items()}}


def _layers(variables: dict[str, np.ndarray], state: dict[str, torch.Tensor], side: str) -> int:
    """Copy the transformer layers of the encoder or decoder; returns how many there are."""
    count = 0
    while f"{side}/layer_{count}/ffn/linear_0/weight" in variables:
        ours, theirs = f"{side}.blocks.{count}", f"{side}/layer_{count}"
        _norm(variables, state, f"{ours}.attn_ln", f"{theirs}/self_attention/layer_norm")
        _linear(variables, state, [f"{ours}.attn.{part}" for part in ("query", "key", "value")], f"{theirs}/self_attention/linear_0")
        _linear(variables, state, [f"{ours}.attn.out"], f"{theirs}/self_attention/linear_1")
        if side == "decoder":
            _norm(variables, state, f"{ours}.cross_attn_ln", f"{theirs}/attention/layer_norm")
            _linear(variables, state, [f"{ours}.cross_attn.query"], f"{theirs}/attention/linear_0")
            _linear(variables, state, [f"{ours}.cross_attn.{part}" for part in ("key", "value")], f"{theirs}/attention/linear_1")
            _linear(variables, state, [f"{ours}.cross_attn.out"], f"{theirs}/attention/linear_2")
        _norm(variables, state, f"{ours}.mlp_ln", f"{theirs}/ffn/layer_norm")
        _linear(variables, state, [f"{ours}.mlp.0"], f"{theirs}/ffn/linear_0")
        _linear(variables, state, [f"{ours}.mlp.2"], f"{theirs}/ffn/linear_1")
        count += 1
    return count


def _tensor(variables: dict[str, np.ndarray], name: str) -> torch.Tensor:
    """A variable as float32; integers are multiplied by their scale, one per row."""
    value = variables[name].astype(np.float32)
    if f"{name}_scale" in variables:
        scale = variables[f"{name}_scale"].astype(np.float32)
        value = value / scale.reshape(scale.shape + (1,) * (value.ndim - scale.ndim))
    return torch.from_numpy(np.ascontiguousarray(value))


def _norm(variables: dict[str, np.ndarray], state: dict[str, torch.Tensor], ours: str, theirs: str) -> None:
    state[f"{ours}.weight"] = _tensor(variables, f"{theirs}/gamma")
    state[f"{ours}.bias"] = _tensor(variables, f"{theirs}/beta")


def _linear(variables: dict[str, np.ndarray], state: dict[str, torch.Tensor], ours: list[str], theirs: str) -> None:
    """One linear layer, or several that CTranslate2 stores stacked by rows. Whisper's keys have no bias."""
    weights = _tensor(variables, f"{theirs}/weight").chunk(len(ours))
    biases = _tensor(variables, f"{theirs}/bias").chunk(len(ours))
    for name, weight, bias in zip(ours, weights, biases, strict=True):
        state[f"{name}.weight"] = weight.clone()
        if not name.endswith(".key"):
            state[f"{name}.bias"] = bias.clone()
