"""The review page in Gradio: two tabs, their buttons, and the keys that press them (page.js)."""

from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import escape

from tools.review import shown
from tools.review.desk import RELOAD, Desk, Left, clean
from voz.pipeline.command import UserError

HERE = Path(__file__).parent
CSS, KEYS = HERE / "page.css", HERE / "page.js"
THEME = gr.themes.Default(  # the system's own fonts: a web font would be asked for over the network
    primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], spacing_size="sm", radius_size="sm"
)
WAVE = gr.WaveformOptions(waveform_progress_color="#0d9488")
UNSAVED = "The text is changed, but not saved. Enter in the text saves it, U takes the change back."
ALL = "everything"
LIST_HEAD = ["clip", "doubt", "decision", "left out for", "text"]
LEFT_HEAD = ["stage", "reason", "note", "stretch", "detail"]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class ClipsTab:
    """Listen, correct, accept, reject. `order` (clip ids) and `clip` (the current id) are each page's own."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.order, self.clip, self.window = gr.State([]), gr.State(""), gr.State([])
        self.progress = gr.HTML(padding=False)
        self.card = gr.HTML(elem_id="card", padding=False)
        self.sound = gr.Audio(interactive=False, buttons=[], label="clip", show_label=False, elem_id="clip-sound", waveform_options=WAVE)
        self.text = gr.Textbox(label="Text", lines=2, max_lines=4, elem_id="text")
        self.heard = gr.HTML(elem_id="heard", padding=False)
        with gr.Row(elem_classes="buttons"):
            self.previous = gr.Button("← Previous", elem_classes="previous")
            self.save = gr.Button("Save text", elem_classes="save", variant="primary")
            self.accept = gr.Button("Accept", elem_classes="accept")
            self.reject = gr.Button("Reject", elem_classes="reject")
            self.undo = gr.Button("Undo", elem_classes="undo")
            self.next = gr.Button("Next →", elem_classes="next")
        self.said = gr.HTML(elem_id="said", padding=False)
        gr.HTML(str(shown.keys(shown.CLIP_KEYS)), padding=False)
        self.list = _table(LIST_HEAD, ["80px", "70px", "90px", "140px", "auto"], "list")
        self.find = gr.Textbox(label="Find the next clip by words, note or clip id", elem_id="find")
        self.view: list[Any] = [self.clip, self.progress, self.card, self.sound, self.text, self.heard, self.said, self.window, self.list]

    def wire(self) -> None:
        """Bind the buttons."""
        given = [self.order, self.clip, self.text]
        self.previous.click(lambda *v: self.step(*v, by=-1), given, self.view, **QUIET)
        self.next.click(lambda *v: self.step(*v, by=1), given, self.view, **QUIET)
        for action, button in (("save", self.save), ("accept", self.accept), ("reject", self.reject)):
            button.click(lambda *v, action=action: self.decide(*v, action=action), given, self.view, **QUIET)
        self.undo.click(self.take_back, given, self.view, **QUIET)
        self.find.submit(self.look_for, [*given, self.find], self.view, **QUIET)
        self.list.select(self.pick, [*given, self.window], self.view, **QUIET)

    def open(self) -> list[Any]:
        """A page was loaded: read everything again and show the clip that is most in doubt."""
        order = _told(self.desk.reload)
        return [order, *(self.show(order, order[0], play=False) if order else [gr.skip() for _ in self.view])]

    def show(self, order: list[str], clip: str, said: str = "", *, play: bool = True) -> list[Any]:
        """What `view` holds for a clip; `said` is the line that tells what was done."""
        if clip not in order or not self.desk.cases.keys() >= set(order):  # another page was opened after a new segmentation
            raise gr.Error(f"The clips are others by now: {RELOAD}.", print_exception=False)
        decided = _told(self.desk.decisions)
        case = self.desk.cases[clip]
        text = case.text(decided.get(clip))
        sound = self.desk.clip_sound(clip)
        window, rows = shown.around(self.desk, order, clip, decided)
        return [
            clip,
            str(shown.progress(self.desk, decided)),
            str(shown.clip_card(self.desk, order, clip, decided)),
            gr.Audio(value=str(sound) if sound else None, autoplay=play),
            text,
            str(shown.heard(case, text)),
            str(escape(said)),
            window,
            rows,
        ]

    def step(self, order: list[str], clip: str, text: str, *, by: int) -> list[Any]:
        """To a neighbour; at either end nothing happens."""
        at = min(max(order.index(clip) + by, 0), len(order) - 1)
        return self.go(order, clip, text, order[at])

    def go(self, order: list[str], clip: str, text: str, to: str) -> list[Any]:
        """To another clip, unless words would be lost by it."""
        if clean(text) != clean(_told(self.desk.text, clip)):
            gr.Warning(UNSAVED)
            return [gr.skip() for _ in self.view]
        return self.show(order, to)

    def decide(self, order: list[str], clip: str, text: str, *, action: str) -> list[Any]:
        """Write a decision down and go on to the next clip."""
        done = _told(self.desk.decide, clip, action, text)
        at = order.index(clip)
        return self.show(order, order[min(at + 1, len(order) - 1)], f"✓ clip {at + 1} ({clip}): {done}")

    def take_back(self, order: list[str], clip: str, text: str) -> list[Any]:
        """Drop the unsaved change of the text; where there is none, the clip's decision."""
        if clean(text) != clean(_told(self.desk.text, clip)):
            return self.show(order, clip, "the text is again as it was", play=False)
        done = "decision taken back" if _told(self.desk.withdraw, clip) else "there was nothing to undo"
        return self.show(order, clip, f"clip {order.index(clip) + 1}: {done}", play=False)

    def look_for(self, order: list[str], clip: str, text: str, words: str) -> list[Any]:
        """To the next clip that holds `words`."""
        found = _told(self.desk.find, order, clip, words)
        if found is None:
            gr.Warning("No clip holds these words.")
            return [gr.skip() for _ in self.view]
        return self.go(order, clip, text, found)

    def pick(self, order: list[str], clip: str, text: str, window: list[str], event: gr.SelectData) -> list[Any]:
        """To the clip whose row was chosen."""
        return self.go(order, clip, text, window[event.index[0]])


class LedgerTab:
    """What the stages left out, and why. `rows` are indices into desk.left, `at` the current one of them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.rows, self.at = gr.State([]), gr.State(0)
        self.totals = gr.HTML(padding=False)
        self.reason = gr.Dropdown([ALL], value=ALL, label="Left out for", elem_id="reason")
        self.card = gr.HTML(elem_id="left-card", padding=False)
        self.sound = gr.Audio(
            interactive=False, buttons=[], label="left out", show_label=False, elem_id="left-sound", waveform_options=WAVE
        )
        self.silent = gr.HTML(elem_id="silent", padding=False)
        with gr.Row(elem_classes="buttons"):
            self.previous = gr.Button("← Previous", elem_classes="previous")
            self.correct = gr.Button("Correct this clip", elem_classes="correct")
            self.next = gr.Button("Next →", elem_classes="next")
        gr.HTML(str(shown.keys(shown.LEDGER_KEYS)), padding=False)
        self.list = _table(LEFT_HEAD, ["90px", "120px", "240px", "120px", "auto"], "left-list")
        self.view: list[Any] = [self.at, self.card, self.sound, self.silent, self.correct]

    def wire(self, clips: ClipsTab, tabs: gr.Tabs) -> None:
        """Bind the buttons; `correct` opens the clip on the other tab."""
        given = [self.rows, self.at]
        self.previous.click(lambda rows, at: self.show(rows, at - 1), given, self.view, **QUIET)
        self.next.click(lambda rows, at: self.show(rows, at + 1), given, self.view, **QUIET)
        self.list.select(self.pick, [self.rows], self.view, **QUIET)
        self.reason.input(self.choose, [self.reason], [self.rows, self.list, *self.view], **QUIET)

        def correct(rows: list[int], at: int, order: list[str], clip: str, text: str) -> list[Any]:
            return [gr.Tabs(selected="clips"), *clips.go(order, clip, text, self.desk.left[rows[at]].row.input)]

        self.correct.click(correct, [*given, clips.order, clips.clip, clips.text], [tabs, *clips.view], **QUIET)

    def open(self) -> list[Any]:
        """A page was loaded (and the desk read again)."""
        reasons = sorted({_reason(left) for left in self.desk.left})
        return [str(shown.ledger_totals(self.desk)), gr.Dropdown([ALL, *reasons], value=ALL), *self.choose(ALL)]

    def choose(self, reason: str) -> list[Any]:
        """Only what was left out for one reason."""
        rows = [i for i, left in enumerate(self.desk.left) if reason in (ALL, _reason(left))]
        return [rows, shown.left_rows(self.desk, rows), *self.show(rows, 0, play=False)]

    def show(self, rows: list[int], at: int, *, play: bool = True) -> list[Any]:
        """What `view` holds for a row; at either end nothing happens."""
        if not rows:
            return [0, "nothing was left out", None, "", gr.Button(interactive=False)]
        if rows[-1] >= len(self.desk.left):
            raise gr.Error(f"The ledger is another by now: {RELOAD}.", print_exception=False)
        at = min(max(at, 0), len(rows) - 1)
        left = self.desk.left[rows[at]]
        sound = self.desk.left_sound(left)
        return [
            at,
            str(shown.left_card(self.desk, rows, at)),
            gr.Audio(value=str(sound) if isinstance(sound, Path) else sound, autoplay=play, visible=sound is not None),
            "" if sound is not None else "Nothing that a browser could play.",
            gr.Button(interactive=left.row.input in self.desk.cases),
        ]

    def pick(self, rows: list[int], event: gr.SelectData) -> list[Any]:
        """To the row that was chosen."""
        return self.show(rows, event.index[0])


def build(desk: Desk) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="Review", analytics_enabled=False) as page:
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Clips", id="clips"):
                clips = ClipsTab(desk)
            with gr.Tab("Ledger", id="ledger"):
                ledger = LedgerTab(desk)
        clips.wire()
        ledger.wire(clips, tabs)
        loaded = [clips.order, *clips.view, ledger.totals, ledger.reason, ledger.rows, ledger.list, *ledger.view]
        page.load(lambda: [*clips.open(), *ledger.open()], None, loaded, **QUIET)
    return page


def _table(head: list[str], widths: list[str], name: str) -> gr.Dataframe:
    """A table of plain text: `str` cells are never read as HTML or Markdown."""
    return gr.Dataframe(
        headers=head, datatype="str", type="array", interactive=False, column_widths=widths, buttons=[], max_height=520, elem_id=name
    )


def _reason(left: Left) -> str:
    return f"{left.stage}: {left.row.reason}"


def _told(work: Any, *values: Any) -> Any:
    """Do it; what a person can mend is told on the page, as text."""
    try:
        return work(*values)
    except UserError as error:
        raise gr.Error(str(escape(str(error))), print_exception=False) from error
