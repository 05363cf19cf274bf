// One recording plays at a time. The picture above a player shows its position, and a click on it moves there. The buttons of a
// group of players switch between them. A position is a share of the duration: one text at two speeds is then at the same word.
const sound = {
  share: (audio) => (audio.duration ? Math.min(audio.currentTime / audio.duration, 1) : 0),

  // Play from a share of the duration, which is known only once the sound is loaded. At the end, play from the start.
  playFrom(audio, share) {
    const start = () => {
      audio.currentTime = share < 0.999 ? share * audio.duration : 0;
      audio.play();
    };
    if (audio.readyState >= HTMLMediaElement.HAVE_METADATA) return start();
    audio.addEventListener("loadedmetadata", start, { once: true });
    audio.preload = "auto";
    audio.load();
  },

  // Switch from one recording of a text to another.
  switchTo(audio, from) {
    if (from) from.pause();
    sound.playFrom(audio, from ? sound.share(from) : 0);
  },
};

const allPlayers = [...document.querySelectorAll("audio")];
allPlayers.forEach((audio) => {
  const group = audio.closest(".players");
  const view = audio.parentElement.querySelector(".view");
  const button = audio.parentElement.querySelector(".switch");
  audio.addEventListener("play", () => {
    allPlayers.forEach((other) => other !== audio && other.pause());
    group.latest = audio;
  });
  audio.addEventListener("playing", () => button?.setAttribute("aria-pressed", "true"));
  audio.addEventListener("pause", () => button?.setAttribute("aria-pressed", "false"));
  button?.addEventListener("click", () => (audio.paused ? sound.switchTo(audio, group.latest) : audio.pause()));
  if (!view) return;
  audio.addEventListener("timeupdate", () => {
    const hand = view.querySelector("i");
    hand.style.opacity = 1;
    hand.style.left = `${100 * sound.share(audio)}%`;
  });
  view.addEventListener("click", (event) => sound.playFrom(audio, event.offsetX / view.clientWidth));
});
