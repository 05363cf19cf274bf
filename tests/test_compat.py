"""For each repair of voz/compat.py, a test that fails without it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a fresh process: these repairs act on imports."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_torchaudio_works_without_its_extension() -> None:
    done = run("""
import voz.compat, torch, torchaudio
from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE
mel = torchaudio.transforms.MelSpectrogram(sample_rate=22050, n_fft=1024, hop_length=256, n_mels=80, norm="slaney")(torch.randn(1, 22050))
print(_IS_TORCHAUDIO_EXT_AVAILABLE, tuple(mel.shape), torchaudio.functional.resample(torch.randn(1, 22050), 22050, 16000).shape[1])
""")
    assert done.stdout.split("\n")[0] == "False (1, 80, 87) 16000", done.stderr


def test_importing_xtts_keeps_the_threads_and_repairs_the_generation_config() -> None:
    """The module that needs the repairs has to call them."""
    done = run("""
import numpy as np, torch
before = torch.get_num_threads()
import voz.model.xtts
from transformers import GenerationConfig
print(before, torch.get_num_threads(), GenerationConfig(suppress_tokens=np.array([1, 2])).to_diff_dict()["suppress_tokens"])
""")
    assert done.stdout.split("\n")[0] == "2 2 [1, 2]", done.stderr


def test_a_generation_config_with_arrays_can_be_saved() -> None:
    done = run("""
import numpy as np
import torch
from voz import compat
from transformers import GenerationConfig
plain = GenerationConfig(temperature=0.7)
before = plain.to_diff_dict()
compat.repair_generation_config()
assert plain.to_diff_dict() == before, (plain.to_diff_dict(), before)
given = GenerationConfig(temperature=0.7, suppress_tokens=np.array([1, 2]), begin_suppress_tokens=torch.tensor([3]))
found = given.to_diff_dict()
print(found["suppress_tokens"], found["begin_suppress_tokens"], found["temperature"], "array" not in str(given))
""")
    assert done.stdout.split("\n")[0] == "[1, 2] [3] 0.7 True", done.stderr


def test_perth_loads_without_pkg_resources_and_leaves_none_behind() -> None:
    without = run("import perth; print(perth.PerthImplicitWatermarker)")
    assert without.stdout.split("\n")[0] == "None", "resemble-perth loads by itself: the repair can go"
    done = run("""
import sys
from voz import compat
with compat.pkg_resources_lent():
    import perth
print(perth.PerthImplicitWatermarker.__name__, "pkg_resources" in sys.modules)
""")
    assert done.stdout.split("\n")[0] == "PerthImplicitWatermarker False", done.stderr


def test_resemblyzer_can_be_imported_without_webrtcvad() -> None:
    """Where webrtcvad is not installed, as here, or is but cannot be imported, as with setuptools from version 82 on."""
    done = run("""
import sys
from voz import compat
try:
    import resemblyzer
except ModuleNotFoundError as error:
    print(error.name)
with compat.webrtcvad_spared():
    import resemblyzer
print("webrtcvad" in sys.modules, resemblyzer.VoiceEncoder.__name__)
""")
    assert done.stdout.splitlines() == ["webrtcvad", "False VoiceEncoder"], done.stderr
