"""Stock coqui-tts, in a process of its own without voz."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts
config = XttsConfig()
config.load_json("config.json")
model = Xtts.init_from_config(config)
model.load_checkpoint(config, checkpoint_dir=".")
assert {str(weight.dtype) for weight in model.parameters()} == {"torch.float32"}
wav = model.synthesize("hola che", speaker_wav="reference.wav", language="es", do_sample=False, max_new_tokens=20)["wav"]
print(len(wav))
"""


def speak(folder: Path) -> int:
    """Load the voice in a folder and speak a line; the number of its samples."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import voz.compat\n{SCRIPT}"  # CPU torch beside a CUDA torchaudio
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
