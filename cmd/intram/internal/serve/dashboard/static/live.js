// Keeps a page fresh: when the server says that something changed, the page is fetched again and the parts marked data-live are
// replaced. Without it the page is complete, and a reload shows the rest.
(() => {
  "use strict";

  if (navigator.clipboard) document.documentElement.dataset.clipboard = "yes";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const word = button.textContent;
    button.textContent = button.dataset.copied;
    button.addEventListener("blur", () => { button.textContent = word; }, { once: true });
  });

  document.documentElement.dataset.script = "yes";
  document.querySelector('.pages a[aria-current]')?.scrollIntoView({ block: "nearest", inline: "center" });

  // Moments are in UTC in the page, and are shown in the reader's own zone and manner.
  const manner = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const formats = {
    short: new Intl.DateTimeFormat(document.documentElement.lang, manner),
    long: new Intl.DateTimeFormat(document.documentElement.lang, { ...manner, year: "numeric" }),
  };
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-at]")) time.textContent = formats[time.dataset.at].format(new Date(time.dateTime));
  };
  localise(document);

  // The stopwatch goes on between two changes, as the server's clock does.
  const elapsed = (ms) => {
    const seconds = Math.round(ms / 1000), pad = (n) => String(n).padStart(2, "0");
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60);
    return (days ? `${days}\u00a0d ` : "") + (hours ? `${hours % 24}\u00a0h ` : "") + (minutes ? `${pad(minutes % 60)}\u00a0min ` : "") + `${pad(seconds % 60)}\u00a0s`;
  };
  setInterval(() => {
    for (const watch of document.querySelectorAll('[data-elapsed][data-running="true"]')) {
      watch.dataset.seen ??= performance.now();
      watch.textContent = elapsed(Number(watch.dataset.elapsed) + performance.now() - watch.dataset.seen);
    }
  }, 1000);

  if (!document.querySelector("[data-live]") || !window.EventSource) return;

  // A part in which somebody is choosing or typing is left alone until the next change.
  const inUse = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");

  const replace = (old, fresh) => {
    const focused = old.contains(document.activeElement) && document.activeElement.id;
    old.replaceWith(document.adoptNode(fresh));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Live": "1" }, cache: "no-store" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        localise(page);
        for (const fresh of page.querySelectorAll("[data-live]")) {
          const old = document.getElementById(fresh.id);
          if (old && !inUse(old) && old.innerHTML !== fresh.innerHTML) replace(old, fresh);
        }
      }
    } catch {
      // The server is gone; EventSource tries again, and so do we with the next change.
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  };

  const changes = new EventSource("/_intram/changes");
  changes.onopen = () => { document.documentElement.dataset.connected = "yes"; refresh(); };
  changes.onerror = () => { delete document.documentElement.dataset.connected; };
  changes.onmessage = refresh;
  addEventListener("pagehide", () => changes.close());
})();
