// The page's messages in its language (pages.py puts them into the page), by their English text.
const words = JSON.parse(document.getElementById("words").textContent);
const tr = (text, values = {}) => (words[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
