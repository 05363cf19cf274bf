"""How the local pages look. Imported only after `serve.set_environment`: Gradio reads its environment when it is imported."""

from typing import Any

import gradio as gr

WAVE = gr.WaveformOptions(waveform_progress_color="#0d9488")


def theme(**sizes: str) -> gr.themes.Default:
    """The theme, in the system's fonts: a web font would be fetched over the network.

    Args:
        sizes: as `gradio.themes.Default` takes them.
    """
    fonts: dict[str, Any] = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return gr.themes.Default(primary_hue="teal", **fonts, **sizes)
