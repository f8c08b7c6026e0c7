// Keeps a page fresh: when the server says that something changed, the page is fetched again and the parts marked data-live are
// replaced. Without it the page is complete, and a reload shows the rest.
(() => {
  "use strict";

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      const word = button.textContent;
      button.textContent = button.dataset.copied;
      button.addEventListener("blur", () => { button.textContent = word; }, { once: true });
    });
  }

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
