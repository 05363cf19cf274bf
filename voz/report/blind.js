// The blind test: plays pairs of recordings without their names, stores each answer in this browser, and shows the result at the end.
const blindData = document.getElementById("blind-data");
if (blindData) {
  const test = JSON.parse(blindData.textContent);
  const box = document.getElementById("blind");
  const part = (name) => box.querySelector(`[data-is="${name}"]`);
  const button = (name) => box.querySelector(`[data-do="${name}"]`);
  const CHOICES = ["first", "neither", "second"];
  const STORED = `blind:${test.id}`;
  let heard = {}; // the two recordings of the trial: first, second
  let answers = []; // of the trials, in their order: one of CHOICES
  let finished = false;
  let current = null; // the recording that was heard last: first | second

  // -- What the browser keeps.

  const say = (words) => (part("message").textContent = words);
  const ended = () => finished || answers.length === test.trials.length;
  const described = (choice, at) => ({ ...test.trials[at], text: test.lines[test.trials[at].line], choice });

  function result() {
    const values = { test: test.id, seed: test.seed, voices: test.voices, finished: ended(), answers: answers.map(described) };
    return ended() ? { ...values, tally: tally() } : values;
  }

  function store() {
    try {
      localStorage.setItem(STORED, JSON.stringify({ answers, finished }));
    } catch {
      say(tr("This browser stores nothing for a page from the disk: save your answers as a file before you close it."));
    }
  }

  function stored() {
    try {
      return JSON.parse(localStorage.getItem(STORED));
    } catch {
      return null;
    }
  }

  function resume(saved) {
    const valid = saved && Array.isArray(saved.answers) && saved.answers.length <= test.trials.length;
    if (!valid || !saved.answers.every((each) => CHOICES.includes(each))) return false;
    answers = saved.answers;
    finished = Boolean(saved.finished);
    return true;
  }

  async function load(file) {
    let saved = null;
    try {
      saved = JSON.parse(await file.text());
    } catch {
      return say(tr("{file}: not a saved file of a blind test.", { file: file.name }));
    }
    if (saved?.test !== test.id) return say(tr("{file}: answers to another test. The recordings, their names or the seed differ.", { file: file.name }));
    if (!resume({ ...saved, answers: saved.answers?.map((each) => each.choice) })) return say(tr("{file}: damaged.", { file: file.name }));
    store();
    show();
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(result(), null, 2)}\n`], { type: "application/json" }));
    link.download = `blind-${test.id}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // -- A trial.

  function show() {
    const step = ended() ? "result" : "trial";
    box.querySelectorAll("[data-step]").forEach((each) => (each.hidden = each.dataset.step !== step));
    Object.values(heard).forEach(discard);
    if (ended()) showResult();
    else showTrial();
    box.focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  }

  function showTrial() {
    const trial = test.trials[answers.length];
    part("place").textContent = tr("Pair {number} of {count}", { number: answers.length + 1, count: test.trials.length });
    part("done").value = answers.length;
    part("text").textContent = test.lines[trial.line];
    part("position").value = 0;
    current = null;
    heard = { first: recording("first", trial), second: recording("second", trial) };
    button("back").disabled = answers.length === 0;
    button("finish").disabled = answers.length === 0;
    allowAnswers();
  }

  // A recording of a trial, taken from the page's player of that line and voice.
  function recording(which, trial) {
    const audio = new Audio(document.getElementById(`sound-${trial.line}-${trial[which]}`).src);
    const showPlaying = (value) => button(`hear-${which}`).setAttribute("aria-pressed", value);
    audio.addEventListener("play", () => {
      allPlayers.forEach((other) => other.pause());
      showPlaying("true");
    });
    audio.addEventListener("pause", () => showPlaying("false"));
    audio.addEventListener("timeupdate", () => which === current && (part("position").value = 1000 * sound.share(audio)));
    audio.addEventListener("playing", () => {
      audio.dataset.heard = "yes";
      allowAnswers();
    });
    return audio;
  }

  function discard(audio) {
    audio.pause();
    audio.removeAttribute("src");
    audio.load(); // it may wait for its duration before it plays
  }

  const bothHeard = () => Object.values(heard).every((audio) => audio.dataset.heard);

  function allowAnswers() {
    CHOICES.forEach((choice) => (button(choice).disabled = !bothHeard()));
    part("hint").textContent = bothHeard() ? tr("Which one do you prefer?") : tr("Listen to both, then answer.");
  }

  function hear(which) {
    const other = current && current !== which ? heard[current] : null;
    if (other) sound.switchTo(heard[which], other);
    else if (heard[which].paused) sound.playFrom(heard[which], sound.share(heard[which]));
    else heard[which].pause();
    current = which;
  }

  function answer(choice) {
    if (!bothHeard()) return;
    answers.push(choice);
    store();
    show();
  }

  // -- The result.

  function tally() {
    const keys = Object.keys(test.voices);
    const pairs = keys.flatMap((a, at) => keys.slice(at + 1).map((b) => ({ a, b, for_a: 0, for_b: 0, neither: 0 })));
    answers.forEach((choice, at) => {
      const trial = test.trials[at];
      const pair = pairs.find((each) => [each.a, each.b].includes(trial.first) && [each.a, each.b].includes(trial.second));
      if (choice === "neither") pair.neither += 1;
      else pair[trial[choice] === pair.a ? "for_a" : "for_b"] += 1;
    });
    for (const pair of pairs) {
      const counted = pair.for_a + pair.for_b;
      if (counted) [pair.p, pair.low, pair.high] = test.outcomes[counted][Math.max(pair.for_a, pair.for_b)];
      pair.preferred = counted && pair.p <= test.significant ? (pair.for_a > pair.for_b ? pair.a : pair.b) : null;
    }
    return pairs;
  }

  function verdict(pair) {
    const [a, b] = [test.voices[pair.a], test.voices[pair.b]];
    const counted = pair.for_a + pair.for_b;
    const other = pair.preferred === pair.a ? b : a;
    if (pair.preferred) return tr("You prefer {voice} to {other}.", { voice: test.voices[pair.preferred], other });
    const clearest = counted ? test.outcomes[counted][counted][0] : 1;
    const more = counted && clearest > test.significant ? tr(" {counted} answers with a preference are too few to show one.", { counted }) : "";
    return tr("{a} and {b}: no difference shown.", { a, b }) + more;
  }

  const percent = (share) => `${Math.round(100 * share)} %`;

  function row(...cells) {
    const line = document.createElement("tr");
    cells.forEach(([words, style]) => {
      const cell = line.insertCell();
      cell.textContent = words;
      cell.className = style ?? "";
    });
    return line;
  }

  function showResult() {
    const pairs = tally();
    const items = pairs.map((pair) => Object.assign(document.createElement("li"), { textContent: verdict(pair) }));
    part("verdicts").replaceChildren(...items);
    part("tally").replaceChildren(
      ...pairs.map((pair) => {
        const [more, less] = pair.for_a >= pair.for_b ? [pair.a, pair.b] : [pair.b, pair.a];
        const [count, counted] = [Math.max(pair.for_a, pair.for_b), pair.for_a + pair.for_b];
        const numbers = counted
          ? [tr("{count} of {counted}", { count, counted }), pair.neither, percent(count / counted), tr("{low} to {high}", { low: percent(pair.low), high: percent(pair.high) }), pair.p.toFixed(3)]
          : ["0", pair.neither, "–", "–", "–"];
        return row([tr("{voice} rather than {other}", { voice: test.voices[more], other: test.voices[less] })], ...numbers.map((each) => [each, "n"]));
      }),
    );
    part("answers").replaceChildren(
      ...answers.map((choice, at) => {
        const { line, first, second } = test.trials[at];
        const preferred = choice === "neither" ? "–" : test.voices[test.trials[at][choice]];
        return row([test.lines[line]], [test.voices[first]], [test.voices[second]], [preferred]);
      }),
    );
  }

  // -- Buttons and keys.

  const actions = {
    start: show,
    "hear-first": () => hear("first"),
    "hear-second": () => hear("second"),
    first: () => answer("first"),
    neither: () => answer("neither"),
    second: () => answer("second"),
    back() {
      answers.pop();
      store();
      show();
    },
    finish() {
      finished = true;
      store();
      show();
    },
    download,
    again() {
      [answers, finished] = [[], false];
      store();
      show();
    },
  };
  const KEYS = {
    1: "hear-first",
    2: "hear-second",
    ArrowLeft: "first",
    ArrowDown: "neither",
    ArrowRight: "second",
    Backspace: "back",
  };

  box.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-do]");
    if (!pressed) return;
    say("");
    actions[pressed.dataset.do]();
  });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.matches("input")) return;
    // Space presses the focused button, for people who use Tab to move through the page.
    const name = event.key === " " && event.target === box ? `hear-${current ?? "first"}` : KEYS[event.key];
    const pressed = name && button(name);
    if (!pressed || pressed.closest("[data-step]").hidden) return;
    event.preventDefault();
    pressed.click();
  });
  part("file").addEventListener("change", (event) => event.target.files.length && load(event.target.files[0]));
  part("position").addEventListener("input", (event) => {
    current ??= "first";
    sound.playFrom(heard[current], event.target.value / 1000);
  });
  allPlayers.forEach((audio) => audio.addEventListener("play", () => Object.values(heard).forEach((other) => other.pause())));
  const before = stored();
  if (resume(before) && (answers.length || finished)) {
    button("start").textContent = ended() ? tr("Show the result") : tr("Go on with pair {number}", { number: answers.length + 1 });
  }
}
