// The timeline: an event opens below its row and closes again, without moving what is above.
import htmx from "htmx.org";

function opened(row: Element): HTMLElement | null {
  const next = row.nextElementSibling;
  return next instanceof HTMLElement && next.matches(".opened") ? next : null;
}

/** Open or close the event of a row; the address says which one was opened last. */
async function toggle(link: HTMLAnchorElement): Promise<void> {
  const row = link.closest("tr");
  const part = link.dataset.part;
  if (!row || !part) return;
  const event = opened(row);
  link.setAttribute("aria-expanded", String(!event));
  const address = event ? link.dataset.closed : link.dataset.opened;
  if (address) history.replaceState(history.state, "", address);
  if (event) event.remove();
  else await htmx.ajax("get", part, { target: row, swap: "afterend" });
}

export function listenToTimelines(): void {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-open]") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void toggle(link);
  });
}
