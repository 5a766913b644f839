// The rows of a list: one of them is the current one, which keys act on; it stays the current one when the list is
// loaded again, or when somebody comes back to it.

const ROWS = "[data-row], [data-group]"; // the head of a group is a row too

export function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(ROWS)].filter((row) => row.checkVisibility());
}

export function currentRow(): HTMLElement | null {
  return document.querySelector<HTMLElement>(":is([data-row], [data-group]).current");
}

export function makeCurrent(row: HTMLElement | undefined, scrolls = true): void {
  if (!row) return;
  currentRow()?.classList.remove("current");
  row.classList.add("current");
  if (row.matches("[data-group]")) row.focus({ preventScroll: true }); // Enter and Space open it and close it
  else if (document.activeElement?.matches("[data-group]")) (document.activeElement as HTMLElement).blur();
  if (scrolls) row.scrollIntoView({ block: "nearest" });
}

/** Make the row so many steps from the current one the current one; the first row where there was none. */
export function moveRow(step: number): void {
  const all = rows();
  const place = all.findIndex((row) => row.classList.contains("current"));
  makeCurrent(all[Math.min(all.length - 1, Math.max(0, place < 0 ? 0 : place + step))]);
}

export function boxOf(row: HTMLElement | null): HTMLInputElement | null {
  return row?.querySelector<HTMLInputElement>("input[type=checkbox][name=id]") ?? null;
}

export function setBox(box: HTMLInputElement | null, checked: boolean): void {
  if (!box || box.checked === checked) return;
  box.checked = checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

const PLACE = "tocsin:row"; // where the current row was when the list was left: an alert may be gone from it since

export function keepPlace(): void {
  sessionStorage.setItem(PLACE, String(rows().findIndex((row) => row.classList.contains("current"))));
}

/** Make the row current that the address names, or the one that has taken its place. */
function comeBack(): void {
  if (!location.hash.startsWith("#alert-")) return;
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const place = Number(sessionStorage.getItem(PLACE) ?? -1);
  const all = rows();
  const row = named ?? (place < 0 ? undefined : all[Math.min(place, all.length - 1)]);
  makeCurrent(row);
  row?.scrollIntoView({ block: "center" });
}

/** Tell whether htmx has replaced the list. Its events are sent by what is new in it. */
export function isOfList(event: Event): boolean {
  return (event as CustomEvent<{ target?: Element }>).detail.target?.id === "list";
}

/** Keep the current row and what is selected while the list is replaced by another state of it. */
function keepOverSwaps(): void {
  let id = "", place = -1, selected = new Set<string>(), seen: Set<string> | null = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isOfList(event)) return;
    const { requestConfig } = (event as CustomEvent<{ requestConfig: { verb: string; elt: Element } }>).detail;
    seen = requestConfig.elt.matches("[data-show-new]") ? new Set(rows().map((row) => row.id)) : null;
    const all = rows();
    place = all.findIndex((row) => row.classList.contains("current"));
    id = all[place]?.id ?? "";
    const boxes = requestConfig.verb === "get" ? all.map(boxOf).filter((box) => box?.checked) : [];
    selected = new Set(boxes.map((box) => box?.value ?? ""));
  });
  // Not before it is settled: until then rows have what those of the same id had before, and then no longer.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!isOfList(event)) return;
    const all = rows();
    if (place >= 0) makeCurrent(all.find((row) => row.id === id) ?? all[Math.min(place, all.length - 1)]);
    for (const row of all) {
      if (seen && !seen.has(row.id)) row.classList.add("arrived");
      const box = boxOf(row);
      if (box && selected.has(box.value)) setBox(box, true);
    }
  });
}

export function listenToRows(): void {
  comeBack();
  keepOverSwaps();
  addEventListener("pagehide", keepPlace);
  document.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>(ROWS) : null;
    if (row) makeCurrent(row, false);
  });
}
