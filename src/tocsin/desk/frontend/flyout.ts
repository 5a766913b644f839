// An alert beside the list: it stands over the page, follows the current row, and gives the focus back when it closes.
import htmx from "htmx.org";
import { currentRow, isOfList, makeCurrent, moveRow, rows } from "./rows";

function place(): HTMLElement | null {
  return document.querySelector<HTMLElement>("#flyout");
}

function body(): HTMLElement | null {
  return document.querySelector<HTMLElement>("#flyout [data-flyout-of]");
}

export function isFlyoutOpen(): boolean {
  return body() !== null;
}

/** Show the alert of a row, on the tab that is shown already. */
function show(row: HTMLElement): void {
  const address = row.dataset.href;
  if (!address || !place()) return;
  const { pathname, searchParams } = new URL(address, location.href);
  searchParams.set("tab", body()?.dataset.flyoutTab ?? "overview");
  void htmx.ajax("get", `${pathname}/flyout?${searchParams}`, { source: "#flyout", target: "#flyout", swap: "innerHTML" });
}

export function toggleFlyout(): void {
  if (isFlyoutOpen()) {
    closeFlyout();
    return;
  }
  if (!currentRow()) moveRow(1);
  const row = currentRow();
  if (row) show(row);
}

/** Show the alert of the current row where another one is shown. */
export function followRow(): void {
  const row = currentRow();
  if (row && isFlyoutOpen() && row.id !== `alert-${body()?.dataset.flyoutOf}`) show(row);
}

export function closeFlyout(): void {
  const list = body()?.dataset.list;
  place()?.replaceChildren();
  if (list) history.replaceState(history.state, "", list);
  currentRow()?.querySelector<HTMLElement>("[data-peek]")?.focus({ preventScroll: true });
}

function clicked(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab is asked for
  const peek = target?.closest("[data-peek]");
  const row = peek?.closest<HTMLElement>("[data-row]");
  if (row) {
    event.preventDefault();
    makeCurrent(row, false);
    if (row.id === `alert-${body()?.dataset.flyoutOf}`) closeFlyout();
    else show(row);
  }
  if (target?.closest("[data-flyout-close]")) {
    event.preventDefault();
    closeFlyout();
  }
}

/** Show of the table the rows that hold a text. */
function filter(event: Event): void {
  const box = event.target instanceof HTMLInputElement && event.target.matches("[data-filter-rows]") ? event.target : null;
  const text = box?.value.trim().toLowerCase();
  const all = box ? [...(place()?.querySelectorAll<HTMLElement>(".fields tr") ?? [])] : [];
  for (const row of all) row.hidden = !!text && !row.textContent?.toLowerCase().includes(text);
  const nothing = place()?.querySelector<HTMLElement>("[data-no-rows]");
  if (box && nothing) nothing.hidden = all.some((row) => !row.hidden);
}

function settled(event: Event): void {
  if (isOfList(event)) {
    followRow();
    return;
  }
  if ((event as CustomEvent<{ target?: Element }>).detail.target?.id !== "flyout") return;
  const address = body()?.dataset.address;
  if (address) history.replaceState(history.state, "", address);
  if (!place()?.contains(document.activeElement) || document.activeElement === document.body) {
    place()?.querySelector<HTMLElement>("[data-flyout-title]")?.focus({ preventScroll: true });
  }
}

function failed(event: Event): void {
  const words = document.querySelector<HTMLTemplateElement>("#failed");
  if ((event as CustomEvent<{ target?: Element }>).detail.target?.id !== "flyout" || !words) return;
  place()?.replaceChildren(words.content.cloneNode(true));
}

export function listenToFlyouts(): void {
  if (!place()) return;
  const row = rows().find((other) => other.id === `alert-${body()?.dataset.flyoutOf}`);
  makeCurrent(row);
  document.addEventListener("click", clicked);
  document.addEventListener("input", filter);
  document.addEventListener("htmx:afterSettle", settled);
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);
}
