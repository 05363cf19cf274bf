"""Sound and pictures inside an HTML page: MP3 and PNG as data URIs, charts as SVG whose colours come from the page's CSS.

The same input gives the same bytes: there are no dates and no random ids.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from markupsafe import Markup, escape
from matplotlib import colormaps
from PIL import Image

from voz.pipeline.language import tr

WIDTH, HEIGHT = 640, 240  # of a chart, in SVG units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 26, 34  # margins of a chart for tick labels, in SVG units
MAX_POINTS = 60  # of a smoothed curve
WINDOW_S, HOP_S = 0.040, 0.010  # of the spectrogram; 40 ms resolve the harmonics of a voice
MEL_ROWS = 96
TOP_HZ = 8_000.0  # of the spectrogram; above it speech has only noise
RANGE_DB = 70.0  # of the spectrogram; what is further below its loudest point is black


@dataclass(frozen=True)
class Series:
    """A line of a chart: its name for the legend, its points (x, y), and the CSS class that colours it."""

    name: str
    points: list[tuple[float, float]]
    style: str


def mp3(pcm: np.ndarray, rate_hz: int) -> str:
    """An MP3 as a data URI. float32 [T] in [-1, 1] at 16, 22.05 or 24 kHz"""
    out = io.BytesIO()
    soundfile.write(
        out, np.clip(pcm, -1.0, 1.0), rate_hz, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.6
    )
    return _data_uri("audio/mpeg", out.getvalue())


def spectrogram(pcm: np.ndarray, rate_hz: int) -> str:
    """A log-mel spectrogram as a PNG data URI: one column per 10 ms, low frequencies at the bottom. float32 [T]"""
    size, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    padded = np.pad(pcm, (size // 2, size))
    starts = np.arange(0, max(len(pcm), 1), hop)
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size)  # [F, size]
    power_db = 20.0 * np.log10(np.abs(np.fft.rfft(frames, n=2048)) + 1e-6)  # [F, 1025]
    at = _mel_spaced_hz(MEL_ROWS) * 2048 / rate_hz
    low = np.floor(at).astype(int)
    rows = power_db[:, low] + (power_db[:, low + 1] - power_db[:, low]) * (at - low)  # [F, MEL_ROWS]
    level = np.clip((rows - rows.max()) / RANGE_DB + 1.0, 0.0, 1.0)
    image = Image.fromarray(np.round(level.T[::-1] * 255).astype(np.uint8), mode="P")
    image.putpalette((np.array([colormaps["magma"](i)[:3] for i in range(256)]) * 255).astype(np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=9)
    return _data_uri("image/png", out.getvalue())


def _mel_spaced_hz(count: int) -> np.ndarray:
    """Frequencies from 0 to TOP_HZ, evenly spaced on the mel scale (O'Shaughnessy 1987: 2595 log10(1 + f / 700)). -> [count]"""
    return np.asarray(700.0 * (10.0 ** (np.linspace(0.0, 2595.0 * math.log10(1.0 + TOP_HZ / 700.0), count) / 2595.0) - 1.0))


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of groups of neighbouring points, at most MAX_POINTS: the loss of single batches jumps."""
    size = -(-len(points) // MAX_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if size else []
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def line_chart(series: Sequence[Series], *, x: str, y: str, mark_x: float | None = None) -> Markup:
    """Lines over common axes as SVG; "" without points. x has whole numbers; `mark_x` adds a dashed vertical line."""
    points = [point for each in series for point in each.points]
    if not points:
        return Markup("")
    frame = _Frame(_ticks([p[0] for p in points], least=1.0), _ticks([p[1] for p in points]))
    parts = [frame.axes(x, y)]
    if mark_x is not None:
        at = frame.x(mark_x)
        parts.append(Markup('<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(at, TOP, HEIGHT - BOTTOM))
    for each in series:
        path = " ".join(f"{frame.x(px)},{frame.y(py)}" for px, py in each.points)
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(each.style, path))
        if len(each.points) <= 40:
            dots = (
                Markup('<circle class="dot {}" cx="{}" cy="{}" r="3"/>').format(each.style, frame.x(px), frame.y(py))
                for px, py in each.points
            )
            parts.append(Markup("").join(dots))
    legend = Markup("").join(Markup('<span class="key {}">{}</span>').format(each.style, each.name) for each in series)
    return Markup('<figure class="chart">{}<figcaption>{}</figcaption></figure>').format(_svg(parts, tr("{y} by {x}", y=y, x=x)), legend)


def histogram(values: Sequence[float], *, bins: int, x: str, y: str) -> Markup:
    """How many values fall into each of `bins` equal bins, as SVG bars; "" without values."""
    if not values:
        return Markup("")
    counts, edges = np.histogram(values, bins=bins)
    frame = _Frame(_ticks([float(edges[0]), float(edges[-1])]), _ticks([0.0, float(counts.max())], least=1.0))
    parts = [frame.axes(x, y)]
    for count, start, end in zip(counts, edges, edges[1:], strict=False):
        left, top = frame.x(float(start)), frame.y(float(count))
        box = (left + 1, top, max(round(frame.x(float(end)) - left - 2, 1), 1), round(HEIGHT - BOTTOM - top, 1))
        parts.append(Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(*box))
    return Markup('<figure class="chart">{}</figure>').format(_svg(parts, tr("{y} by {x}", y=y, x=x)))


class _Frame:
    """Converts values to SVG units and draws the axes."""

    def __init__(self, x_ticks: list[float], y_ticks: list[float]) -> None:
        self.x_ticks, self.y_ticks = x_ticks, y_ticks

    def x(self, value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x_ticks), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(value, self.y_ticks), 1)

    def axes(self, x: str, y: str) -> Markup:
        """The grid, the tick labels and the names of both axes."""
        parts = []
        for tick in self.y_ticks:
            parts.append(Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(LEFT, WIDTH - RIGHT, self.y(tick)))
            parts.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 6, self.y(tick) + 4, f"{tick:g}")
            )
        for tick in self.x_ticks:
            parts.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    self.x(tick), HEIGHT - BOTTOM + 15, f"{tick:g}"
                )
            )
        parts.append(Markup('<text class="name" x="{}" y="{}" text-anchor="end">{}</text>').format(WIDTH - RIGHT, HEIGHT - 4, x))
        parts.append(Markup('<text class="name" x="{}" y="{}">{}</text>').format(4, 13, y))
        return Markup("").join(parts)


def _share(value: float, ticks: list[float]) -> float:
    """Position of a value between the first tick (0) and the last one (1)."""
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _ticks(values: Sequence[float], *, least: float = 0.0) -> list[float]:
    """A few round numbers around the values, in steps of 1, 2 or 5 times a power of ten, or of `least` if that is more."""
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = max(least, next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 5))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _svg(parts: Sequence[Markup], name: str) -> Markup:
    drawing = Markup("").join(escape(part) for part in parts)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(WIDTH, HEIGHT, name, drawing)
