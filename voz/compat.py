"""Repairs of other people's packages: what breaks, in which versions, and when the repair can go.

Import this module before anything that imports torchaudio, transformers' generation, `TTS` or `resemblyzer`. For each repair,
`tests/test_compat.py` holds a test that fails without it.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch


def load_torchaudio_without_extension() -> None:
    """Keep torchaudio from loading its compiled extension.

    Breaks: torchaudio 2.11.0 from the public index is a CUDA build. With a CPU or ROCm build of torch, `import torchaudio`
    fails on `libc10_cuda.so`. XTTS needs only MelSpectrogram and resample, which are pure PyTorch; torchaudio's own code
    does the same when its `.so` is absent.
    Can go: when torchaudio publishes a build without CUDA for the pinned torch.
    """
    name = "torchaudio._extension.utils"
    spec = importlib.util.find_spec("torchaudio")  # of the top-level package: finds its folder without importing it
    if name in sys.modules or spec is None or spec.origin is None:
        return
    path = Path(spec.origin).parent / "_extension" / "utils.py"
    loader = importlib.util.spec_from_file_location(name, path)
    if loader is None or loader.loader is None:
        raise ImportError(f"{path}: torchaudio has no such file; voz.compat knows torchaudio 2.11.0")
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    module._load_lib = lambda lib: False  # type: ignore[attr-defined]
    sys.modules[name] = module


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Restore torch's thread count after this block, an import for instance.

    Breaks: importing `TTS.tts.layers.xtts.trainer.dataset` (coqui-tts 0.28.0) runs `torch.set_num_threads(1)`, so that all
    CPU work of the process uses one thread.
    Can go: when coqui-tts stops doing so.
    """
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def pkg_resources_lent() -> Iterator[None]:
    """Within the block, `pkg_resources` has the one function that Perth imports from it. Perth has to be imported inside.

    Breaks: resemble-perth 1.0.1 imports `resource_filename` from `pkg_resources`, which setuptools removed in 82.0.0. The failure is
    hidden: `perth.PerthImplicitWatermarker` is None. (https://github.com/resemble-ai/Perth/pull/11, /pull/18)
    The module goes away after the block, so that nobody else takes it for the real one.
    Can go: when a version of resemble-perth after 1.0.1 is pinned.
    """
    if importlib.util.find_spec("pkg_resources") is not None:
        yield
        return
    module = ModuleType("pkg_resources")
    module.resource_filename = lambda package, path: str(resources.files(package) / path)  # type: ignore[attr-defined]
    with _lent(module):
        yield


@contextmanager
def webrtcvad_spared() -> Iterator[None]:
    """Let `resemblyzer` be imported without webrtcvad, by an empty module of that name for the time of the import.

    Breaks: Resemblyzer 0.1.4 imports `webrtcvad` 2.0.10, which has no wheels (it takes a compiler) and imports `pkg_resources`, which
    setuptools has no longer (https://github.com/resemble-ai/Resemblyzer/issues/99, https://github.com/wiseman/py-webrtcvad/pull/87).
    Only `preprocess_wav` needs it, which nothing here calls. For the same reason Resemblyzer is installed with --no-deps.
    Can go: when Resemblyzer asks for webrtcvad-wheels, or imports it where it is used.
    """
    if "webrtcvad" in sys.modules:
        yield
        return
    with _lent(ModuleType("webrtcvad")):
        yield


@contextmanager
def _lent(module: ModuleType) -> Iterator[None]:
    """Within the block, the module can be imported under its name."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


def repair_generation_config() -> None:
    """Let `GenerationConfig.to_diff_dict` compare values that are arrays or tensors.

    Breaks: transformers (seen up to 5.23.0) compares each value with its default by `!=` inside an `if`. With an array
    (`suppress_tokens=np.array([1, 2])`) this raises `ValueError: The truth value of an array ... is ambiguous` wherever a
    generation config is printed, logged or saved, as in XTTS's `generate`.
    Can go: when transformers can compare such values.
    """
    from transformers import GenerationConfig

    def to_diff_dict(self: GenerationConfig) -> dict[str, Any]:
        """The settings that differ from the defaults, as JSON values."""
        own, default = self.to_dict(), GenerationConfig().to_dict()
        different = {
            key: value
            for key, value in own.items()
            if key == "transformers_version" or key not in default or not _same(value, default[key])
        }
        self.dict_dtype_to_str(different)
        return {key: value.tolist() if isinstance(value, np.ndarray | torch.Tensor) else value for key, value in different.items()}

    GenerationConfig.to_diff_dict = to_diff_dict


def _same(a: object, b: object) -> bool:
    """Equality as one bool, for arrays and tensors too."""
    if isinstance(a, np.ndarray | torch.Tensor) or isinstance(b, np.ndarray | torch.Tensor):
        return type(a) is type(b) and np.array_equal(np.asarray(a), np.asarray(b))
    return bool(a == b)


load_torchaudio_without_extension()
