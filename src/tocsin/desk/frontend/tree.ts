// The outline of processes: arrow keys open and close, Enter selects; what could not be loaded can be asked for again.

function items(tree: Element): HTMLElement[] {
  return [...tree.querySelectorAll<HTMLElement>("[role=treeitem]")];
}

function level(item: HTMLElement): number {
  return Number(item.dataset.level);
}

/** Return the items below an item: those that follow it, up to the next of its own level. */
function below(all: HTMLElement[], item: HTMLElement): HTMLElement[] {
  const rest = all.slice(all.indexOf(item) + 1);
  const end = rest.findIndex((other) => level(other) <= level(item));
  return end < 0 ? rest : rest.slice(0, end);
}

function show(all: HTMLElement[]): void {
  let closed = Infinity;
  for (const item of all) {
    item.hidden = level(item) > closed;
    if (!item.hidden) closed = item.getAttribute("aria-expanded") === "false" ? level(item) : Infinity;
  }
}

function open(all: HTMLElement[], item: HTMLElement, opened: boolean): void {
  if (!item.hasAttribute("aria-expanded")) return;
  item.setAttribute("aria-expanded", String(opened));
  show(all);
}

function focus(all: HTMLElement[], item: HTMLElement | undefined): void {
  if (!item) return;
  for (const other of all) other.tabIndex = other === item ? 0 : -1;
  item.focus();
}

function select(all: HTMLElement[], item: HTMLElement): void {
  for (const other of all) other.setAttribute("aria-selected", String(other === item));
}

function ready(tree: Element): void {
  const all = items(tree);
  for (const item of all) if (below(all, item).length) item.setAttribute("aria-expanded", "true");
  if (!all.some((item) => item.tabIndex === 0) && all[0]) all[0].tabIndex = 0;
  const selected = all.find((item) => item.getAttribute("aria-selected") === "true");
  const frame = tree.parentElement;
  if (selected && frame) frame.scrollTop = selected.offsetTop - frame.offsetTop - frame.clientHeight / 2;
}

const KEYS: Record<string, (all: HTMLElement[], item: HTMLElement) => void> = {
  ArrowDown: (all, item) => focus(all, all.slice(all.indexOf(item) + 1).find((other) => !other.hidden)),
  ArrowUp: (all, item) => focus(all, all.slice(0, all.indexOf(item)).reverse().find((other) => !other.hidden)),
  ArrowRight: (all, item) => {
    if (item.getAttribute("aria-expanded") === "false") open(all, item, true);
    else focus(all, below(all, item)[0]);
  },
  ArrowLeft: (all, item) => {
    if (item.getAttribute("aria-expanded") === "true") open(all, item, false);
    else focus(all, all.slice(0, all.indexOf(item)).reverse().find((other) => level(other) < level(item)));
  },
  Home: (all) => focus(all, all[0]),
  End: (all) => focus(all, all.filter((other) => !other.hidden).pop()),
  Enter: (_, item) => item.querySelector<HTMLElement>("[data-select]")?.click(),
};

function listen(event: KeyboardEvent): void {
  const item = event.target instanceof HTMLElement && event.target.matches("[role=treeitem]") ? event.target : null;
  const tree = item?.closest("[data-tree]");
  const act = KEYS[event.key];
  if (!item || !tree || !act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  act(items(tree), item);
}

function click(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  const item = target?.closest<HTMLElement>("[role=treeitem]");
  const tree = item?.closest("[data-tree]");
  if (item && tree) {
    const all = items(tree);
    if (target?.closest("[data-twist]")) open(all, item, item.getAttribute("aria-expanded") === "false");
    else {
      select(all, item);
      focus(all, item);
      if (!target?.closest("a")) item.querySelector<HTMLElement>("[data-select]")?.click();
    }
  }
  const again = target?.closest<HTMLElement>("[data-again]");
  if (again) location.reload();
}

/** Say in the place of a part that it could not be loaded, and offer to try again. */
function failed(event: Event): void {
  const place = (event as CustomEvent<{ target?: HTMLElement }>).detail.target;
  const words = document.querySelector<HTMLTemplateElement>("#failed");
  if (!place?.matches("[data-loads], #events") || !words) return;
  place.replaceChildren(words.content.cloneNode(true));
}

export function listenToTrees(): void {
  document.addEventListener("keydown", listen, true);
  document.addEventListener("click", click);
  document.addEventListener("htmx:afterSettle", (event) => {
    const tree = event.target instanceof Element ? event.target.querySelector("[data-tree]") : null;
    if (tree) ready(tree);
  });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);
  document.querySelectorAll("[data-tree]").forEach(ready);
}
