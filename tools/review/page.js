() => {
  // A key presses a button of the visible tab, so that it does exactly what the button does.
  // Keys that are pressed before the last one is answered are not held back: the server takes them in order. N N N goes three clips
  // further; A, R, U or Enter about a clip that is no longer the shown one is refused with a line (ClipsTab in page.py).

  // Gradio 6.31 posts them all at once, and its server checks each post in a thread of its own before it queues it: on a busy machine
  // R came before A. So a press is posted when the one before it is queued, that is when its post is answered.
  const post = window.fetch;
  let queued = Promise.resolve();
  window.fetch = (address, options) => {
    if (!String(address).includes("/queue/join")) return post(address, options);
    const answer = queued.then(() => post(address, options));
    queued = answer.catch(() => {}); // Gradio shows the error; the next press is posted all the same
    return answer;
  };

  const visible = (selector) => [...document.querySelectorAll(selector)].find((each) => each.offsetParent !== null);
  const press = (selector) => visible(selector)?.click();
  const focus = (selector) => {
    const field = visible(selector);
    field?.focus();
    field?.select();
  };
  const other = () => [...document.querySelectorAll('#tabs [role="tab"]')].find((tab) => tab.getAttribute("aria-selected") === "false");
  const keys = {
    " ": () => press(".play-pause-button"),
    e: () => focus("#text textarea"),
    a: () => press("button.accept"),
    r: () => press("button.reject"),
    u: () => press("button.undo"),
    n: () => press("button.next"),
    p: () => press("button.previous"),
    c: () => press("button.correct"),
    l: () => other()?.click(),
    "/": () => focus("#find input, #find textarea"),
  };
  const inField = (event, field) => {
    if (event.key === "Escape") field.blur();
    if (event.key !== "Enter" || event.isComposing) return;
    // After Gradio has handled Enter's keypress, which is an event of its own, keys are shortcuts again.
    if (field.closest("#find")) field.addEventListener("keypress", () => setTimeout(() => field.blur()), { once: true });
    if (!field.closest("#text")) return;
    event.preventDefault(); // no line breaks in a text
    field.blur();
    press("button.save");
  };
  document.addEventListener(
    "keydown",
    (event) => {
      const field = event.target.closest("textarea, input, select, [contenteditable=true]");
      if (field) return inField(event, field);
      if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
      // Space presses the focused button, for people who use Tab to move through the page.
      if (event.key === " " && event.target.closest("button, [role=tab]")?.matches(":focus-visible")) return;
      const act = keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    },
    true,
  );
}
