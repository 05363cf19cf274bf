"""The review page in Gradio: two tabs and their buttons. Keys press the buttons (page.js)."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import escape

from tools.local_page import look
from tools.review import fragments
from tools.review.backend import Backend, Rejected, one_line
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

HERE = Path(__file__).parent
CSS, KEYS = HERE / "page.css", HERE / "page.js"
THEME = look.theme(spacing_size="sm", radius_size="sm")
UNSAVED = later("The text has changed and is not saved. Enter in the text saves it, U restores the old one.")
ALL = ""  # value of the list of reasons
HASTY = later("Too soon: the next clip was not on the page yet, so the last key did nothing.")
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Gradio would drop a second press of a button while the first is not answered, and answer different buttons at the same time.
IN_TURN: dict[str, Any] = QUIET | {"trigger_mode": "multiple", "concurrency_id": "clips", "concurrency_limit": 1}


@dataclass(frozen=True)
class Shown:
    """A clip as it was put on the page."""

    number: str = ""  # of this showing, different each time
    clip: str = ""
    text: str = ""


class ClipsTab:
    """Listen, correct, accept, reject. Each open page has its own `order` (clip ids) and `shown` (the last that was put on it).

    A fast reviewer presses a second key before the first is answered. The server has the next clip then, while the browser sends
    the text of the one before. So the browser sends with the text also `seen`, the number of the showing that it belongs to. If
    that is not the last one, a key that decides is refused with a line: its clip is decided or passed over, and the next one has
    not been heard. A key that goes to another clip goes on from where those before it have got to.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.order, self.shown, self.window = gr.State([]), gr.State(Shown()), gr.State([])
        self.seen, self.numbers = gr.Textbox(visible=False), itertools.count(1)
        self.progress = gr.HTML(padding=False)
        self.card = gr.HTML(elem_id="card", padding=False)
        self.sound = gr.Audio(
            interactive=False, buttons=[], label="clip", show_label=False, elem_id="clip-sound", waveform_options=look.WAVE
        )
        self.text = gr.Textbox(label=tr("Text"), lines=2, max_lines=4, elem_id="text")
        self.transcript = gr.HTML(elem_id="transcript", padding=False)
        with gr.Row(elem_classes="buttons"):
            self.previous = gr.Button(tr("← Previous"), elem_classes="previous")
            self.save = gr.Button(tr("Save text"), elem_classes="save", variant="primary")
            self.accept = gr.Button(tr("Accept"), elem_classes="accept")
            self.reject = gr.Button(tr("Reject"), elem_classes="reject")
            self.undo = gr.Button(tr("Undo"), elem_classes="undo")
            self.next = gr.Button(tr("Next →"), elem_classes="next")
        self.message = gr.HTML(elem_id="message", padding=False)
        gr.HTML(str(fragments.shortcuts(fragments.CLIP_KEYS)), padding=False)
        self.list = _table(
            [tr("clip"), tr("doubt"), tr("decision"), tr("curate's reason"), tr("text")], ["100px", "70px", "90px", "160px", "auto"], "list"
        )
        self.find = gr.Textbox(label=tr("Find the next clip by words, note or clip id"), elem_id="find")
        self.view: list[Any] = [
            *(self.shown, self.seen, self.progress, self.card, self.sound, self.text),
            *(self.transcript, self.message, self.window, self.list),
        ]
        self.inputs = [self.order, self.shown, self.seen, self.text]

    def wire(self) -> None:
        """Bind the buttons."""
        inputs = self.inputs
        self.previous.click(lambda *v: self.step(*v, by=-1), inputs, self.view, **IN_TURN)
        self.next.click(lambda *v: self.step(*v, by=1), inputs, self.view, **IN_TURN)
        for action, button in (("save", self.save), ("accept", self.accept), ("reject", self.reject)):
            button.click(lambda *v, action=action: self.decide(*v, action=action), inputs, self.view, **IN_TURN)
        self.undo.click(self.undo_last, inputs, self.view, **IN_TURN)
        self.find.submit(self.look_for, [*inputs, self.find], self.view, **IN_TURN)
        self.list.select(self.pick, [*inputs, self.window], self.view, **IN_TURN)

    def open(self) -> list[Any]:
        """A page was loaded: read everything again and show the most doubtful clip."""
        order = _with_errors_shown(self.backend.reload)
        return [order, *(self.show(order, order[0], play=False) if order else [gr.skip() for _ in self.view])]

    def show(self, order: list[str], clip: str, message: str = "", *, play: bool = True) -> list[Any]:
        """The values of `view` for a clip; `message` says what was done."""
        if clip not in order or not self.backend.cases.keys() >= set(order):  # another page was opened after a new segmentation
            raise gr.Error(tr("The clips have changed: reload the page."), print_exception=False)
        decisions = _with_errors_shown(self.backend.decisions)
        case = self.backend.cases[clip]
        text = case.text(decisions.get(clip))
        sound = _with_errors_shown(self.backend.clip_sound, clip)
        window, rows = fragments.neighbours(self.backend, order, clip, decisions)
        shown = Shown(str(next(self.numbers)), clip, text)
        return [
            shown,
            shown.number,
            str(fragments.progress(self.backend, decisions)),
            str(fragments.clip_card(self.backend, order, clip, decisions)),
            gr.Audio(value=str(sound) if sound else None, autoplay=play),
            text,
            str(fragments.transcript(self.backend, case, text)),
            str(escape(message)),
            window,
            rows,
        ]

    def step(self, order: list[str], shown: Shown, seen: str, text: str, *, by: int) -> list[Any]:
        """Show the clip `by` places further; at either end of the list, the same one."""
        at = min(max(order.index(shown.clip) + by, 0), len(order) - 1)
        return self.go(order, shown, seen, text, order[at])

    def go(self, order: list[str], shown: Shown, seen: str, text: str, to: str) -> list[Any]:
        """Show another clip, unless an unsaved text would be lost."""
        if seen == shown.number and one_line(text) != one_line(shown.text):
            gr.Warning(tr(UNSAVED))
            return [gr.skip() for _ in self.view]
        return self.show(order, to)

    def decide(self, order: list[str], shown: Shown, seen: str, text: str, *, action: str) -> list[Any]:
        """Store a decision and show the next clip."""
        if seen != shown.number:
            return self.refuse()
        done = _with_errors_shown(lambda: self.backend.decide(shown.clip, action, text=text, shown=shown.text))
        at = order.index(shown.clip)
        message = tr("✓ clip {number} ({clip}): {done}", number=at + 1, clip=shown.clip, done=done)
        return self.show(order, order[min(at + 1, len(order) - 1)], message)

    def undo_last(self, order: list[str], shown: Shown, seen: str, text: str) -> list[Any]:
        """Put the file's text back if the page has another, else withdraw the clip's decision."""
        if seen != shown.number:
            return self.refuse()
        if one_line(text) != one_line(_with_errors_shown(self.backend.text, shown.clip)):
            return self.show(order, shown.clip, tr("text restored"), play=False)
        done = tr("decision withdrawn") if _with_errors_shown(self.backend.withdraw, shown.clip) else tr("nothing to undo")
        message = tr("clip {number}: {done}", number=order.index(shown.clip) + 1, done=done)
        return self.show(order, shown.clip, message, play=False)

    def refuse(self) -> list[Any]:
        """Leave the page as it is: what was pressed is about a clip that is no longer the shown one."""
        gr.Warning(tr(HASTY))
        return [gr.skip() for _ in self.view]

    def look_for(self, order: list[str], shown: Shown, seen: str, text: str, words: str) -> list[Any]:
        """Show the next clip that contains `words`."""
        found = _with_errors_shown(self.backend.find, order, shown.clip, words)
        if found is None:
            gr.Warning(tr("No clip contains these words."))
            return [gr.skip() for _ in self.view]
        return self.go(order, shown, seen, text, found)

    def pick(self, order: list[str], shown: Shown, seen: str, text: str, window: list[str], event: gr.SelectData) -> list[Any]:
        """Show the clip whose row was clicked."""
        return self.go(order, shown, seen, text, window[event.index[0]])


class LedgerTab:
    """What the stages rejected, and why. `rows` are indices into backend.rejected, `at` the current one of them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.rows, self.at = gr.State([]), gr.State(0)
        self.totals = gr.HTML(padding=False)
        self.reason = gr.Dropdown([(tr("all reasons"), ALL)], value=ALL, label=tr("Reason"), elem_id="reason")
        self.card = gr.HTML(elem_id="rejected-card", padding=False)
        self.sound = gr.Audio(
            interactive=False, buttons=[], label="rejected", show_label=False, elem_id="rejected-sound", waveform_options=look.WAVE
        )
        self.no_sound = gr.HTML(elem_id="no-sound", padding=False)
        with gr.Row(elem_classes="buttons"):
            self.previous = gr.Button(tr("← Previous"), elem_classes="previous")
            self.correct = gr.Button(tr("Correct this clip"), elem_classes="correct")
            self.next = gr.Button(tr("Next →"), elem_classes="next")
        gr.HTML(str(fragments.shortcuts(fragments.LEDGER_KEYS)), padding=False)
        self.list = _table(
            [tr("stage"), tr("reason"), tr("note"), tr("time"), tr("detail")], ["90px", "180px", "240px", "120px", "auto"], "rejected-list"
        )
        self.view: list[Any] = [self.at, self.card, self.sound, self.no_sound, self.correct]

    def wire(self, clips: ClipsTab, tabs: gr.Tabs) -> None:
        """Bind the buttons; `correct` opens the clip on the other tab."""
        inputs = [self.rows, self.at]
        self.previous.click(lambda rows, at: self.show(rows, at - 1), inputs, self.view, **QUIET)
        self.next.click(lambda rows, at: self.show(rows, at + 1), inputs, self.view, **QUIET)
        self.list.select(self.pick, [self.rows], self.view, **QUIET)
        self.reason.input(self.choose, [self.reason], [self.rows, self.list, *self.view], **QUIET)

        def correct(rows: list[int], at: int, order: list[str], shown: Shown, seen: str, text: str) -> list[Any]:
            return [gr.Tabs(selected="clips"), *clips.go(order, shown, seen, text, self.backend.rejected[rows[at]].row.input)]

        self.correct.click(correct, [*inputs, *clips.inputs], [tabs, *clips.view], **IN_TURN)

    def open(self) -> list[Any]:
        """A page was loaded, and ClipsTab.open has read everything again."""
        reasons = sorted({(f"{item.stage}: {tr(item.row.reason)}", _reason(item)) for item in self.backend.rejected})
        choices = gr.Dropdown([(tr("all reasons"), ALL), *reasons], value=ALL)
        return [str(fragments.ledger_totals(self.backend)), choices, *self.choose(ALL)]

    def choose(self, reason: str) -> list[Any]:
        """List only the items that were rejected for one reason."""
        rows = [i for i, item in enumerate(self.backend.rejected) if reason in (ALL, _reason(item))]
        return [rows, fragments.rejected_rows(self.backend, rows), *self.show(rows, 0, play=False)]

    def show(self, rows: list[int], at: int, *, play: bool = True) -> list[Any]:
        """The values of `view` for a row."""
        if not rows:
            return [0, tr("Nothing was rejected."), None, "", gr.Button(interactive=False)]
        if rows[-1] >= len(self.backend.rejected):
            raise gr.Error(tr("The ledger has changed: reload the page."), print_exception=False)
        at = min(max(at, 0), len(rows) - 1)
        item = self.backend.rejected[rows[at]]
        sound = _with_errors_shown(self.backend.rejected_sound, item)
        return [
            at,
            str(fragments.rejected_card(self.backend, rows, at)),
            gr.Audio(value=str(sound) if isinstance(sound, Path) else sound, autoplay=play, visible=sound is not None),
            "" if sound is not None else tr("No sound to play."),
            gr.Button(interactive=item.row.input in self.backend.cases),
        ]

    def pick(self, rows: list[int], event: gr.SelectData) -> list[Any]:
        """Show the item whose row was clicked."""
        return self.show(rows, event.index[0])


def build(backend: Backend) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title=tr("Review"), analytics_enabled=False) as page:
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab(tr("Clips"), id="clips"):
                clips = ClipsTab(backend)
            with gr.Tab(tr("Ledger"), id="ledger"):
                ledger = LedgerTab(backend)
        clips.wire()
        ledger.wire(clips, tabs)
        loaded = [clips.order, *clips.view, ledger.totals, ledger.reason, ledger.rows, ledger.list, *ledger.view]
        page.load(lambda: [*clips.open(), *ledger.open()], None, loaded, **QUIET)
    return page


def _table(head: list[str], widths: list[str], name: str) -> gr.Dataframe:
    """A table of plain text: Gradio does not interpret `str` cells as HTML or Markdown."""
    return gr.Dataframe(
        headers=head, datatype="str", type="array", interactive=False, column_widths=widths, buttons=[], max_height=520, elem_id=name
    )


def _reason(item: Rejected) -> str:
    return f"{item.stage}: {item.row.reason}"


def _with_errors_shown(work: Any, *values: Any) -> Any:
    """Call `work`; the page shows a UserError, and a fault of the machine such as a full disk, as text."""
    try:
        return work(*values)
    except UserError as error:
        raise gr.Error(str(escape(str(error))), print_exception=False) from error
    except OSError as error:
        if error.errno not in command.MACHINE_FAULTS:
            raise
        raise gr.Error(str(escape(command.machine_fault(error))), print_exception=False) from error
