/** The page: a text in, its spans marked. Another tagger than the one of `main`: ?tagger=ADDRESS of its folder. */

import { Tagger } from "./tagsmith.js";

const PAUSE = 150; // milliseconds without a key before the text is tagged
const text = document.querySelector("#text"), status = document.querySelector("#status");
const folder = new URLSearchParams(location.search).get("tagger") ?? document.querySelector("main").dataset.tagger;

function element(name, content, className = "") {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

function marked(source, spans) {
  const parts = [];
  let end = 0;
  for (const span of spans) {
    const label = element("small", [` ${span.entity_group} ${Math.round(span.score * 100)} %`]);
    parts.push(source.slice(end, span.start), element("mark", [span.word, label]));
    end = span.end;
  }
  return element("p", [...parts, source.slice(end)], "tagged");
}

function show(tagger) {
  try {
    const begin = performance.now(), found = tagger.tag(text.value);
    const took = Math.round(performance.now() - begin);
    const heads = Array.isArray(found) ? { "": found } : found;
    const parts = Object.entries(heads).flatMap(([name, spans]) =>
      [...(name ? [element("h2", [name])] : []), marked(text.value, spans)]);
    document.querySelector("#spans").replaceChildren(...parts);
    status.textContent = `Spans: ${Object.values(heads).flat().length}, found in ${took} ms.`;
  } catch (error) {
    status.textContent = error.message;
  }
}

try {
  const tagger = await Tagger.load(folder);
  let waiting = 0;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, PAUSE, tagger);
  });
  text.disabled = false;
  show(tagger);
} catch (error) {
  status.textContent = `The tagger cannot be loaded: ${error.message}`;
}
