// The matrix of techniques by arrow keys: up and down within a tactic, left and right to the next one.
const CELLS = ".cell, summary";

function visible(cells: NodeListOf<HTMLElement>): HTMLElement[] {
  return [...cells].filter((cell) => cell.offsetParent !== null);
}

/** Return where an arrow leads from a cell, itself at an end. */
function next(cell: HTMLElement, key: string): HTMLElement {
  const column = cell.closest("section");
  const columns = [...(cell.closest("[data-matrix]")?.querySelectorAll("section") ?? [])];
  const mine = visible(column?.querySelectorAll<HTMLElement>(CELLS) ?? document.querySelectorAll("none"));
  if (key === "ArrowUp" || key === "ArrowDown") {
    return mine[mine.indexOf(cell) + (key === "ArrowDown" ? 1 : -1)] ?? cell;
  }
  const beside = columns[columns.findIndex((each) => each === column) + (key === "ArrowRight" ? 1 : -1)];
  const theirs = beside ? visible(beside.querySelectorAll<HTMLElement>(CELLS)) : [];
  return theirs[Math.min(mine.indexOf(cell), theirs.length - 1)] ?? cell;
}

export function listenToMatrices(): void {
  document.addEventListener("keydown", (event) => {
    const cell = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-matrix] :is(.cell, summary)") : null;
    if (!cell || !event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    next(cell, event.key).focus();
  });
}
