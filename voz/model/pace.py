"""How fast a training runs, and how long the rest of it will take."""

from dataclasses import dataclass, field

from voz.pipeline.language import tr

TIMED_UPDATES = 5  # after which the rest is foretold


@dataclass
class Pace:
    """What this process has taken so far.

    updates: that it made; `seconds` is what they took together.
    evaluation_s: what the last evaluation took; 0 before the first.
    """

    updates: int = 0
    seconds: float = 0.0
    evaluation_s: float = 0.0
    _foretold: bool = field(default=False, init=False)

    @property
    def update_s(self) -> float:
        """Seconds that an update takes; 0 before the first."""
        return self.seconds / max(1, self.updates)

    def forecast(self, *, updates: int, evaluations: int) -> str:
        """How long so many updates and evaluations will take, as a line, once; "" before `TIMED_UPDATES`, and from then on."""
        if self._foretold or self.updates < TIMED_UPDATES:
            return ""
        self._foretold = True
        seconds = updates * self.update_s + evaluations * self.evaluation_s
        each = tr(" of {evaluation_s:.0f} s", evaluation_s=self.evaluation_s) if self.evaluation_s else ""  # none yet in this process
        return tr(
            "train: about {minutes} min left: {updates} updates of {update_s:.1f} s, {evaluations} evaluations{each}",
            minutes=max(1, round(seconds / 60)),
            updates=updates,
            update_s=self.update_s,
            evaluations=evaluations,
            each=each,
        )
