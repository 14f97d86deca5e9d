// Keeps the part of a page up to date that changes. Without this, a page is as good as when it was loaded.
"use strict";

const live = document.getElementById("live");
const problem = document.getElementById("problem");

function tell(text) {
  problem.textContent = text;
  problem.hidden = !text;
  live.classList.toggle("old", Boolean(text));
}

function draw(html) {
  // Who uses the keyboard stays where they are; what was folded out stays so.
  const focused = document.activeElement;
  const id = live.contains(focused) ? focused.id : "";
  const region = live.contains(focused) ? focused.getAttribute("aria-labelledby") : "";
  const scrolled = [...live.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  live.innerHTML = html;
  live.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = scrolled[index] || 0; });
  const again = id ? document.getElementById(id)
    : region ? live.querySelector(`[aria-labelledby="${CSS.escape(region)}"]`) : null;
  if (again) again.focus({ preventScroll: true });
}

// A browser opens no more than six connections to a host, and each of these keeps one: a page that nobody
// sees gives its own back.
let source;

function follow() {
  source = new EventSource(live.dataset.live);
  source.onmessage = (event) => {
    const found = JSON.parse(event.data);
    tell(found.problem || "");
    if (found.html !== undefined) draw(found.html);
  };
  source.onerror = () => tell(source.readyState === EventSource.CLOSED
    ? "studio was started anew: open the link that it printed"
    : "studio does not answer; this page goes on when it does");
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else follow();
});
if (!document.hidden) follow();
