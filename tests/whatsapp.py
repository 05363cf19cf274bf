"""WhatsApp exports with real Opus notes, and a repository to import them into. Names and texts are invented."""

import contextlib
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.whatsapp import import_chat
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
AGREED = ["--consent-speaker", "Ana Pérez", "--consent-statement", "Soy yo y estoy de acuerdo."]
CHAT = """\ufeff12/5/23, 17:44 - Los mensajes están cifrados de extremo a extremo.
12/5/23, 17:45 - Ana Pérez: \u200ePTT-20230512-WA0001.opus (archivo adjunto)
12/5/23, 5:46\u202fp.\u00a0m. - \u202aAna Pérez\u202c: PTT-20230512-WA0002.opus (archivo adjunto)
13/5/23, 9:00 - ~\u202fBeto: PTT-20230513-WA0003.opus (archivo adjunto)
13/5/23, 9:01 - Ana Pérez: AUD-20230513-WA0004.opus (archivo adjunto)
13/5/23, 9:02 - Ana Pérez: PTT-20230513-WA0009.opus (archivo adjunto)
13/5/23, 9:03 - Ana Pérez: IMG-20230513-WA0005.jpg (archivo adjunto)
"""


def write_notes(folder: Path) -> list[Path]:
    """Six Opus notes of about a second, each with other words."""
    paths = []
    for number, words in enumerate(["hola che", "qué hacés", "dale, mirá", "yo ya llegué", "buen día", "hasta mañana"]):
        wav, opus = folder / f"{number}.wav", folder / f"{number}.opus"
        subprocess.run(["espeak-ng", "-v", "es-419", "-w", wav, words], check=True)
        encode = ["-c:a", "libopus", "-b:a", "16k", "-ar", "16000", "-bitexact"]
        subprocess.run(["ffmpeg", "-v", "error", "-i", wav, *encode, opus], check=True)
        paths.append(opus)
    return paths


def enter_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty repository with git, DVC and the project's params.yaml the working directory."""
    folder.mkdir()
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for call in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(call, cwd=folder, check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


def android(path: Path, spoken: list[Path], chat: str = CHAT) -> Path:
    """An Android export: four audio files, an unnamed one, a picture."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Chat de WhatsApp con Ana.txt", chat)
        for name, source in zip(
            ["PTT-20230512-WA0001", "PTT-20230512-WA0002", "PTT-20230513-WA0003", "AUD-20230513-WA0004"], spoken, strict=False
        ):
            file.write(source, f"{name}.opus")
        file.write(spoken[4], "PTT-20230514-WA0007.opus")
        file.writestr("IMG-20230513-WA0005.jpg", b"\xff\xd8\xff")
    return path


def run(*arguments: object, status: int = 0) -> str:
    """Run the import without a terminal; returns what it printed, or its one-line error."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", ["import_chat", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO())
        if status:
            with pytest.raises(UserError) as raised:
                import_chat.main()
            assert "\n" not in str(raised.value)
            return str(raised.value)
        import_chat.main()
    return printed.getvalue()
