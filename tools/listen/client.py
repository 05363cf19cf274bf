"""The page's side of the pipe to speaker.py, which runs in the project's environment."""

import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voz.pipeline.command import UserError
from voz.pipeline.language import later


class Speaker:
    """A running speaker. Requests of several pages wait for each other.

    Attributes:
        voices: their names.
        seed, sampling: those of `synthesize` in params.yaml.

    Args:
        python: of the project's environment.
        sounds: folder for the wavs.
        revs: commits or experiments whose voices are heard too.
        log: file that gets each text that is spoken, with its settings; None writes nothing.

    Raises:
        UserError: the speaker did not start. It has printed why.
    """

    def __init__(self, python: Path, sounds: Path, revs: Sequence[str], log: Path | None) -> None:
        command = [str(python), "-m", "tools.listen.speaker", str(sounds), "--", *revs]
        # In a session of its own: Ctrl-C reaches the page alone, which then closes the pipe.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._lock = threading.Lock()
        self._log = log
        first = self._answer(later("the voices did not start"))
        self.voices: list[str] = first["voices"]
        self.seed: int = first["seed"]
        self.sampling: dict[str, Any] = first["sampling"]

    def speak(self, voice: str, text: str, seed: int, sampling: dict[str, float]) -> Path:
        """Speak a text and return the wav.

        Raises:
            UserError: the text cannot be spoken, a setting is out of its bounds, or the speaker has stopped.
        """
        request = {"voice": voice, "text": text, "seed": seed, "sampling": self.sampling | sampling}
        with self._lock:
            try:
                print(json.dumps(request), file=self._process.stdin, flush=True)
            except BrokenPipeError as error:
                raise _ended(later("the voices have stopped")) from error
            answer = self._answer(later("the voices have stopped"))
            if "error" in answer:
                raise UserError("{what}", "{fix}", **answer["error"])
            if self._log:
                with open(self._log, "a", encoding="utf-8") as file:
                    print(json.dumps(request, ensure_ascii=False), file=file)
        return Path(answer["wav"])

    def close(self) -> None:
        """End the speaker. It has nothing to save."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, otherwise: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise _ended(otherwise)
        answer: dict[str, Any] = json.loads(line)
        return answer


def _ended(what: str) -> UserError:
    return UserError(what, "see the message above, then run `make listen` again")
