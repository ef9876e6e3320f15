// Keeps the page current: asks the station for its state every few seconds, and says when it does not answer.
"use strict";

const PERIOD_MS = 3000;
const TIMEOUT_MS = 8000;
let lostSince = null;

function replace(html) {
  const next = new DOMParser().parseFromString(html, "text/html").getElementById("live");
  const live = document.getElementById("live");
  if (!next) throw new Error("no answer of the station");
  if (next.outerHTML === live.outerHTML) return;
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  live.replaceWith(next);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (next.dataset.news) document.getElementById("news").textContent = "New: " + next.dataset.news;
}

function reached(yes) {
  lostSince = yes ? null : lostSince ?? new Date();
  const warning = document.getElementById("unreachable");
  if (warning.hidden === yes) return;
  warning.hidden = yes;
  document.body.classList.toggle("stale", !yes);
  warning.textContent = yes
    ? ""
    : "This page cannot reach the station since " + lostSince.toTimeString().slice(0, 5) +
      ". What you see is from then; it comes back by itself.";
}

async function poll() {
  const query = new URLSearchParams(location.search);
  query.set("after", document.getElementById("live").dataset.newest);
  try {
    const answer = await fetch("/fragment?" + query, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error("the station answers " + answer.status);
    replace(await answer.text());
    reached(true);
  } catch {
    reached(false);
  }
  setTimeout(poll, PERIOD_MS);
}

setTimeout(poll, PERIOD_MS);
