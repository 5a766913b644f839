// The keys of the desk. One row of a list has the focus; keys act on it, or on the rows that are selected.
let goesTo = false; // `g` was pressed: the next key says where to go

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-row]")];
}

function current(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-row].current");
}

function move(step: number): void {
  const all = rows();
  if (!all.length) return;
  const place = all.findIndex((row) => row.classList.contains("current"));
  const next = all[Math.min(all.length - 1, Math.max(0, place < 0 ? 0 : place + step))];
  current()?.classList.remove("current");
  next?.classList.add("current");
  next?.scrollIntoView({ block: "nearest" });
}

function select(): void {
  const box = current()?.querySelector<HTMLInputElement>("input[type=checkbox]");
  if (box) box.checked = !box.checked;
}

/** Press a button of the actions, for the rows that are selected, else for the current one. */
function act(status: string): void {
  const button = document.querySelector<HTMLButtonElement>(`[data-actions] button[value="${status}"]`);
  if (!button) return;
  if (rows().length && !document.querySelector("[data-row] input:checked")) select();
  button.click();
}

const ACTIONS: Record<string, () => void> = {
  j: () => move(1),
  k: () => move(-1),
  x: select,
  a: () => act("acknowledged"),
  c: () => act("closed"),
  "/": () => document.querySelector<HTMLInputElement>("[data-search]")?.focus(),
  "?": () => document.querySelector<HTMLDialogElement>("#keys")?.showModal(),
  g: () => {
    goesTo = true;
  },
};

function open(): void {
  const address = current()?.dataset.href;
  if (address) location.assign(address);
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const writes = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      if (writes) target.blur();
      else if (!document.querySelector("dialog[open]") && document.body.dataset.back) history.back();
      return;
    }
    if (writes || document.querySelector("dialog[open]")) return;
    if (goesTo) {
      goesTo = false;
      document.querySelector<HTMLAnchorElement>(`[data-go="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    if ((event.key === "Enter" && !target.closest("a, button")) || event.key === "o") {
      open();
      return;
    }
    const action = ACTIONS[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
}
