// The timeline: an event opens below its row and closes again, without moving what is above. Its keys, and `t`.
import htmx from "htmx.org";

function opened(row: Element): HTMLElement | null {
  const next = row.nextElementSibling;
  return next instanceof HTMLElement && next.matches(".opened") ? next : null;
}

/** Open or close the event of a row; the address says which one was opened last. */
async function toggle(link: HTMLAnchorElement): Promise<void> {
  const row = link.closest("tr");
  const part = link.dataset.part;
  if (!row || !part || row.matches(".htmx-request")) return;
  const event = opened(row);
  link.setAttribute("aria-expanded", String(!event));
  const address = event ? link.dataset.closed : link.dataset.opened;
  if (address) history.replaceState(history.state, "", address);
  if (event) event.remove();
  else await htmx.ajax("get", part, { source: row, target: row, swap: "afterend" });
}

function currentRow(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-row].current");
}

/** Press what a key stands for in the current row, or in its event below it. */
function press(selector: string): boolean {
  const row = currentRow();
  const part = row?.querySelector<HTMLElement>(selector) ?? (row ? opened(row)?.querySelector<HTMLElement>(selector) : null);
  part?.click();
  return Boolean(part);
}

/** Go to what happened on the host of an alert: that of the page, or of the current row. */
function goAround(): boolean {
  const address = currentRow()?.dataset.href ?? (document.querySelector("[data-alert]") ? location.pathname : "");
  const alert = new URL(address, location.href).pathname.match(/^\/alerts\/([^/]+)/)?.[1];
  if (alert) location.assign(`/timeline/around/${alert}`);
  return Boolean(alert);
}

const KEYS: Record<string, () => boolean> = {
  Enter: () => press("[data-open]"),
  o: () => press("[data-open]"),
  p: () => press("[data-pin]"),
  t: goAround,
};

function key(event: KeyboardEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  // A query is sent by Enter, also one of several lines; there Shift+Enter begins a line, as in the desk's comments.
  const isQuery = target instanceof HTMLTextAreaElement && target.matches("[data-search]");
  if (event.key === "Enter" && isQuery && !event.shiftKey && !event.isComposing && !event.defaultPrevented) {
    event.preventDefault();
    target.form?.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (target?.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open], :popover-open")) return;
  if (event.key === "Enter" && target?.closest("a, button, summary, [role=treeitem]")) return;
  if (KEYS[event.key]?.()) event.preventDefault();
}

/** Keep the current row where it stands when what is above it gets longer or shorter. */
function keepPlace(event: Event): void {
  const row = event.target instanceof Element && event.target.matches("[data-stays]") ? currentRow() : null;
  if (!row?.id) return;
  const top = row.getBoundingClientRect().top;
  document.addEventListener(
    "htmx:afterSettle",
    () => {
      const again = document.getElementById(row.id);
      again?.classList.add("current");
      if (again) scrollBy(0, again.getBoundingClientRect().top - top);
    },
    { once: true },
  );
}

export function listenToTimelines(): void {
  document.addEventListener("keydown", key);
  document.addEventListener("htmx:beforeRequest", keepPlace);
  document.addEventListener("click", (event) => {
    for (const popup of document.querySelectorAll<HTMLDetailsElement>(".timeline-popup[open]")) {
      if (event.target instanceof Node && !popup.contains(event.target)) popup.open = false;
    }
  });
  document.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-pin]")?.closest("tr") : null;
    if (!row) return;
    currentRow()?.classList.remove("current");
    row.classList.add("current");
  }, true);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-open]") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void toggle(link);
  });
}
