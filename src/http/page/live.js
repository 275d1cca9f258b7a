// Keeps an open page true: after an event, and now and then for the ages, it fetches the page that it is on
// and puts the parts that are marked `data-live` in the place of the old ones. Forms are not among them, so
// what somebody types stays. Without this script everything is there, as of when the page was loaded.
"use strict";

(() => {
  const PATIENCE = 2_000; // between two updates, in milliseconds
  const QUIET = 30_000; // without an event
  const stream = new URL("api/v1/events/stream", document.currentScript.src);
  const live = document.getElementById("live");
  const said = document.getElementById("said");
  let source = null;
  let timer = null;
  let updating = false;
  let last = Date.now();

  const localise = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const local = new Date(time.dateTime);
      if (!Number.isNaN(local.valueOf())) time.title = `${local.toLocaleString()} here`;
    }
  };

  // What tells a focused element from the others once it was replaced.
  const mark = (element) => element && element.getAttribute("href");

  const replace = (next) => {
    const focused = document.activeElement;
    const href = mark(focused);
    const region = focused && focused.closest("[data-live]");
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = next.getElementById(old.id);
      if (fresh && !old.isEqualNode(fresh)) old.replaceWith(document.adoptNode(fresh));
    }
    document.title = next.title;
    if (region && !focused.isConnected && href !== null) {
      const now = document.getElementById(region.id);
      const links = now ? [...now.querySelectorAll("a[href]")] : [];
      const same = links.find((link) => mark(link) === href);
      if (same) same.focus({ preventScroll: true });
    }
    localise();
  };

  const show = (text, isWell) => {
    live.hidden = false;
    live.classList.toggle("lost", !isWell);
    live.textContent = text;
  };

  const update = async (afterEvent) => {
    if (updating || document.hidden) return;
    updating = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const { scrollX, scrollY } = window;
      const before = document.title;
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      window.scrollTo(scrollX, scrollY);
      show(`Live, as of ${new Date().toLocaleTimeString()}`, true);
      if (afterEvent || document.title !== before) said.textContent = `Updated: ${document.title}`;
    } catch {
      show("Not live: regwatch does not answer", false);
    } finally {
      updating = false;
    }
  };

  // At most one update in the time of PATIENCE, and the last event is never passed over.
  const soon = (afterEvent, within) => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      await update(afterEvent);
      soon(false, QUIET);
    }, Math.max(within, last + PATIENCE - Date.now()));
  };

  const happened = () => soon(true, 0);

  const listen = () => {
    if (source) return;
    source = new EventSource(stream);
    for (const kind of ["first_seen", "changed", "modified", "ended"]) source.addEventListener(kind, happened);
    source.addEventListener("error", () => {
      // The browser comes back by itself, unless it was turned away.
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => document.hidden || listen(), QUIET);
      }
    });
  };

  const rest = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return rest();
    listen();
    soon(false, 0);
  });
  window.addEventListener("pagehide", rest);
  localise();
  show("Live", true);
  if (!document.hidden) {
    listen();
    soon(false, QUIET);
  }
})();
