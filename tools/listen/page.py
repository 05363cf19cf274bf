"""The page of `make listen` in Gradio: a text, the voices side by side, and how they speak."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import escape

from tools.listen.client import Speaker
from tools.local_page import look
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

CSS = Path(__file__).with_name("page.css")
THEME = look.theme()
SLIDERS = {  # of generation.Sampling: label, lowest, highest, step
    "temperature": (later("Temperature: higher varies more, 0 always takes the likeliest"), 0.0, 1.5, 0.05),
    "top_p": (later("top_p: share of the probability that is drawn from"), 0.05, 1.0, 0.05),
    "top_k": (later("top_k: number of codes that are drawn from"), 1, 200, 1),
    "repetition_penalty": (later("Repetition penalty: higher avoids codes that were spoken"), 1.0, 10.0, 0.5),
}
QUIET: dict[str, Any] = {"api_visibility": "private"}


class ListenPage:
    """Speaks a text in the chosen voices, one after the other; each is heard as soon as it is done."""

    def __init__(self, speaker: Speaker, downloads: Path) -> None:
        self.speaker, self.downloads = speaker, downloads
        self.text = gr.Textbox(label=tr("Text"), lines=1, max_lines=8, elem_id="text", placeholder="Che, ¿cómo andás?", autofocus=True)
        self.voices = gr.CheckboxGroup(speaker.voices, value=speaker.voices, label=tr("Voices"), elem_id="voices")
        with gr.Row():
            self.speak = gr.Button(tr("Speak"), variant="primary", elem_id="speak")
            self.again = gr.Button(tr("Another take"), elem_id="again")
        with gr.Row(elem_id="sounds"):
            self.sounds = [self._sound(name, at) for at, name in enumerate(speaker.voices)]
        with gr.Accordion(tr("How they speak"), open=False, elem_id="settings"):
            self.seed = gr.Number(speaker.seed, label=tr("Seed: another one gives another take"), precision=0, elem_id="seed")
            self.sampling = [self._slider(name) for name in SLIDERS]

    def _sound(self, name: str, at: int) -> gr.Audio:
        return gr.Audio(
            interactive=False, label=name, buttons=["download"], elem_id=f"sound-{at}", waveform_options=look.WAVE, min_width=280
        )

    def _slider(self, name: str) -> gr.Slider:
        label, low, high, step = SLIDERS[name]
        return gr.Slider(low, high, self.speaker.sampling[name], step=step, label=tr(label), elem_id=name)

    def wire(self) -> None:
        """Bind the buttons; Enter in the text speaks."""
        inputs = [self.text, self.voices, self.seed, *self.sampling]
        gr.on([self.speak.click, self.text.submit], self.play, inputs, self.sounds, **QUIET)
        self.again.click(lambda seed: (seed or 0) + 1, [self.seed], [self.seed], **QUIET).then(self.play, inputs, self.sounds, **QUIET)

    def play(self, text: str, voices: list[str], seed: int, *sampling: float) -> Iterator[list[Any]]:
        """The values of `sounds`, again after each voice; a voice that is not chosen is empty."""
        shown: list[Any] = [None for _ in self.sounds]
        yield list(shown)
        for at, name in enumerate(self.speaker.voices):
            if name in voices:
                shown[at] = str(self._spoken(name, text, seed, dict(zip(SLIDERS, sampling, strict=True))))
                yield list(shown)

    def _spoken(self, voice: str, text: str, seed: int, sampling: dict[str, float]) -> Path:
        try:
            wav = self.speaker.speak(voice, text, seed, sampling)
        except UserError as error:
            raise gr.Error(str(escape(str(error))), print_exception=False) from error
        folder = Path(tempfile.mkdtemp(dir=self.downloads))
        return Path(shutil.move(wav, folder / f"{_file_name(voice)}-{seed}.wav"))


def _file_name(voice: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in voice)


def build(speaker: Speaker, downloads: Path) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title=tr("Listen"), analytics_enabled=False) as blocks:
        gr.HTML(f"<h1>{escape(tr('Listen'))}</h1>", padding=False)
        ListenPage(speaker, downloads).wire()
    return blocks
