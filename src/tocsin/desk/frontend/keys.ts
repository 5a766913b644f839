// The keys of the desk. One row of a list is the current one; keys act on it, or on the rows that are selected.
import { assignToMe, openSheet, selectPage, selectRow, setStatus, undo } from "./actions";
import { showNew } from "./arrivals";
import { closeFlyout, followRow, isFlyoutOpen, toggleFlyout } from "./flyout";
import { currentRow, moveRow, rows } from "./rows";

let goesTo = false; // `g` was pressed: the next key says where to go

function follow(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.click();
}

/** Go to another row of a list, or from an alert to another one of its list. */
function move(step: number): void {
  if (rows().length) {
    moveRow(step);
    followRow();
  }
  else follow(step > 0 ? "[data-next]" : "[data-previous]");
}

const ACTIONS: Record<string, () => void> = {
  j: () => move(1),
  k: () => move(-1),
  x: selectRow,
  X: selectPage,
  a: () => setStatus("acknowledged"),
  c: () => openSheet("close-form"),
  e: makeException,
  i: () => openSheet("assign-form"),
  l: () => openSheet("tag-form"),
  m: assignToMe,
  n: showNew,
  u: undo,
  z: undo,
  "/": () => document.querySelector<HTMLInputElement>("[data-search]")?.focus(),
  "?": () => document.querySelector<HTMLDialogElement>("#keys")?.showModal(),
  g: () => {
    goesTo = true;
  },
};

function open(): void {
  const row = currentRow();
  if (row?.matches("[data-group]")) row.click();
  else if (row?.dataset.href) location.assign(row.dataset.href);
}

/** Make an exception from the alert of the page, or of the current row. */
function makeException(): void {
  const address = document.querySelector("[data-exceptions]") ? currentRow()?.dataset.href : undefined;
  if (address) location.assign(`${new URL(address, location.href).pathname}/exception`);
  else follow("[data-exception]");
}

/** Go back to where the page was opened from. */
function back(): void {
  const address = document.querySelector<HTMLElement>("[data-back]")?.dataset.back;
  if (address) location.assign(address);
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const writes = target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (document.querySelector("dialog[open], :popover-open")) return;
    if (event.key === "Escape") {
      if (writes) target.blur();
      else if (isFlyoutOpen()) closeFlyout();
      else back();
      return;
    }
    if (writes) return;
    if (goesTo) {
      goesTo = false;
      follow(`[data-go="${CSS.escape(event.key)}"]`);
      return;
    }
    if ((event.key === "Enter" && !target.closest("a, button, summary")) || event.key === "o") {
      open();
      return;
    }
    if (event.key === " " && rows().length && !target.closest("a, button, input, summary, [data-value], #flyout")) {
      event.preventDefault();
      toggleFlyout();
      return;
    }
    const action = ACTIONS[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
}
