// Completion in query bars, as a combobox: inputs with `data-completion` (the query's language) and `data-index`.
// The server says what may stand at the cursor; nothing is asked while an answer is awaited.
type Bar = HTMLInputElement | HTMLTextAreaElement;
const WAIT = 120; // milliseconds after the last key
let bar: Bar | null = null;
let active = -1;
let timer = 0;
let awaits = false; // an answer
let typedSince = false; // something was typed while an answer was awaited
let isShown = false;

function place(): HTMLElement {
  const known = document.querySelector<HTMLElement>("#completion");
  if (known) return known;
  const made = document.createElement("div");
  made.id = "completion";
  made.className = "completion";
  made.hidden = true;
  document.body.append(made);
  made.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the bar keeps the focus
    const option = event.target instanceof Element ? event.target.closest<HTMLElement>("[role=option]") : null;
    if (option) accept(option);
  });
  return made;
}

function choices(): HTMLElement[] {
  return [...place().querySelectorAll<HTMLElement>("[role=option]")];
}

function hide(): void {
  isShown = false;
  active = -1;
  place().hidden = true;
  bar?.setAttribute("aria-expanded", "false");
  bar?.removeAttribute("aria-activedescendant");
  bar?.removeAttribute("aria-controls");
}

function show(text: string): void {
  if (!bar) return;
  const frame = place();
  frame.innerHTML = text;
  const list = frame.querySelector<HTMLElement>("[role=listbox]");
  if (list) list.id = "completion-list";
  const hasOptions = choices().length > 0;
  if (list && !hasOptions) list.remove();
  frame.hidden = !hasOptions && !frame.querySelector(".place");
  isShown = !frame.hidden;
  active = -1;
  bar.setAttribute("aria-expanded", String(hasOptions));
  bar.removeAttribute("aria-activedescendant");
  if (hasOptions) bar.setAttribute("aria-controls", "completion-list");
  else bar.removeAttribute("aria-controls");
  const at = bar.getBoundingClientRect();
  frame.style.left = `${Math.max(8, Math.min(at.left, innerWidth - 348)) + scrollX}px`;
  frame.style.top = `${at.bottom + scrollY + 2}px`;
  frame.style.width = `${Math.max(Math.min(at.width, 760), Math.min(340, innerWidth - 16))}px`;
}

function mark(step: number): void {
  const all = choices();
  if (!all.length) return;
  active = active < 0 && step < 0 ? all.length - 1 : (active + step + all.length) % all.length;
  all.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
  all[active]?.scrollIntoView({ block: "nearest" });
  bar?.setAttribute("aria-activedescendant", all[active]?.id ?? "");
}

function accept(option: HTMLElement): void {
  const list = option.closest<HTMLElement>("[data-start]");
  if (!bar || !list) return;
  const text = option.dataset.text ?? "";
  bar.setRangeText(text, Number(list.dataset.start), Number(list.dataset.end), "end");
  ask();
}

function parameters(input: Bar): URLSearchParams {
  const asked = new URLSearchParams({ q: input.value, at: String(input.selectionStart ?? input.value.length) });
  asked.set("language", input.dataset.completion || "kql");
  const form = new FormData(input.form ?? undefined);
  for (const name of ["index", "from", "to"]) {
    const value = form.get(name) || input.dataset[name];
    if (typeof value === "string" && value) asked.set(name, value);
  }
  return asked;
}

function ask(): void {
  if (awaits) {
    typedSince = true;
    return;
  }
  void askNow();
}

async function askNow(): Promise<void> {
  const asking = bar;
  if (!asking) return;
  awaits = true;
  typedSince = false;
  try {
    const answer = await fetch(`/desk/completion?${parameters(asking)}`, { headers: { "hx-request": "true" } });
    // An answer to what stands there no more, or to a bar that was left, is not shown.
    if (answer.ok && !typedSince && bar === asking && document.activeElement === asking) show(await answer.text());
    else if (!answer.ok) hide();
  } catch {
    hide(); // what is typed can be sent all the same, and says then what is wrong
  } finally {
    awaits = false;
    if (typedSince) ask();
  }
}

function key(event: KeyboardEvent): void {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = choices();
  const chosen = all[active];
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (bar?.matches("textarea") && !isShown) return;
    event.preventDefault();
    if (isShown && all.length) mark(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "ArrowDown") ask();
  } else if (event.key === "Escape" && isShown) {
    event.preventDefault();
    event.stopPropagation();
    hide();
  } else if (event.key === "Enter" && chosen && isShown) {
    event.preventDefault();
    accept(chosen);
  } else if (event.key === "Tab" && isShown && chosen && !event.shiftKey) {
    event.preventDefault();
    accept(chosen);
  } else if (event.key === "Enter") {
    hide();
  }
}

export function listenToQueryBars(): void {
  document.addEventListener("focusin", (event) => {
    const target = event.target instanceof Element ? event.target.closest<Bar>("[data-completion]") : null;
    if (!target) return;
    bar = target;
    bar.setAttribute("role", "combobox");
    bar.setAttribute("aria-autocomplete", "list");
    bar.setAttribute("aria-haspopup", "listbox");
    bar.setAttribute("aria-expanded", "false");
  });
  document.addEventListener("focusout", (event) => {
    if (event.target !== bar) return;
    hide();
    bar = null;
  });
  document.addEventListener("input", (event) => {
    if (event.target !== bar || (event as InputEvent).isComposing) return;
    clearTimeout(timer);
    if (awaits) typedSince = true;
    timer = window.setTimeout(ask, WAIT);
  });
  document.addEventListener(
    "keydown",
    (event) => {
      if (bar && event.target === bar) key(event);
    },
    true,
  );
}
