// A time is chosen on a histogram: by dragging over it, or by arrow keys (with Shift for a longer one) and Enter.
// `data-address` is the address of what is shown then, with FROM and TO where the moments stand.
interface Range {
  from: number; // parts of the histogram's width, 0 to 1
  to: number;
}

let dragged: { figure: HTMLElement; start: number; moved: boolean } | null = null;
const ranges = new WeakMap<HTMLElement, Range>();

function histogramOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("[data-brush]") : null;
}

function moment(figure: HTMLElement, part: number): string {
  const first = Date.parse(figure.dataset.first ?? "");
  const last = Date.parse(figure.dataset.last ?? "");
  return new Date(first + (last - first) * part).toISOString();
}

function draw(figure: HTMLElement, range: Range | null): void {
  const area = figure.querySelector<HTMLElement>(".brushed");
  if (!area) return;
  area.hidden = range === null;
  if (range) {
    ranges.set(figure, range);
    area.style.left = `${range.from * 100}%`;
    area.style.width = `${(range.to - range.from) * 100}%`;
    area.textContent = `${moment(figure, range.from).slice(0, 16)} – ${moment(figure, range.to).slice(0, 16)} UTC`;
  } else ranges.delete(figure);
}

function show(figure: HTMLElement, range: Range): void {
  const address = figure.dataset.address ?? "";
  const from = encodeURIComponent(moment(figure, range.from));
  const to = encodeURIComponent(moment(figure, range.to));
  location.assign(address.replace("=FROM", `=${from}`).replace("=TO", `=${to}`));
}

function partAt(figure: HTMLElement, x: number): number {
  const box = figure.querySelector("svg")?.getBoundingClientRect();
  return box ? Math.max(0, Math.min(1, (x - box.left) / box.width)) : 0;
}

function key(event: KeyboardEvent): void {
  const figure = histogramOf(event.target);
  if (!figure || !(event.target as Element).matches("svg") || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 1 / Number(figure.dataset.steps || 1);
  const range = ranges.get(figure);
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const by = event.key === "ArrowRight" ? step : -step;
    if (!range) draw(figure, { from: Math.max(0, 1 - step), to: 1 });
    else if (event.shiftKey) draw(figure, { from: range.from, to: Math.max(range.from + step, Math.min(1, range.to + by)) });
    else {
      const from = Math.max(0, Math.min(1 - (range.to - range.from), range.from + by));
      draw(figure, { from, to: from + range.to - range.from });
    }
  } else if (event.key === "Enter" && range) show(figure, range);
  else if (event.key === "Escape" && range) draw(figure, null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

export function listenToHistograms(): void {
  document.addEventListener("pointerdown", (event) => {
    const figure = histogramOf(event.target);
    if (!figure || event.button !== 0 || !(event.target as Element).closest("svg")) return;
    dragged = { figure, start: partAt(figure, event.clientX), moved: false };
  });
  document.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const at = partAt(dragged.figure, event.clientX);
    if (Math.abs(at - dragged.start) > 0.005) dragged.moved = true;
    if (dragged.moved) draw(dragged.figure, { from: Math.min(at, dragged.start), to: Math.max(at, dragged.start) });
  });
  document.addEventListener("pointerup", () => {
    const range = dragged?.moved ? ranges.get(dragged.figure) : undefined;
    if (dragged && range) show(dragged.figure, range);
    setTimeout(() => (dragged = null)); // the click that follows belongs to the drag
  });
  document.addEventListener("pointercancel", () => {
    if (dragged) draw(dragged.figure, null);
    dragged = null;
  });
  document.addEventListener("dragstart", (event) => {
    if (histogramOf(event.target)) event.preventDefault(); // bars are links, which browsers would drag
  });
  document.addEventListener("click", (event) => {
    if (dragged?.moved) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
  document.addEventListener("keydown", key, true);
}
