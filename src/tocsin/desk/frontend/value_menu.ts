// The menu of a value, wherever it stands: by a click on the value, or by the key `v`, which lists the values of the
// current row. What can be done with a value the server knows; the value itself is copied here, exactly.
const VALUES = "[data-field][data-value]";
const LONGEST = 60_000; // characters of a form
let origin: HTMLElement | null = null; // the value whose menu is open
let asked = 0; // number of the menu that was asked for last: an earlier one that comes later is not shown

function menu(): HTMLElement | null {
  return document.querySelector<HTMLElement>("#value-menu");
}

function items(): HTMLElement[] {
  return [...(menu()?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
}

/** Return a value as text. It is JSON; numbers stay as they are written, since not all fit the browser's numbers. */
function textOf(value: HTMLElement): string {
  const data = value.dataset.value ?? "";
  return data.startsWith('"') ? (JSON.parse(data) as string) : data;
}

/** Show the menu below a place, or above it where there is no room below. */
function showAt(place: Element): void {
  const open = menu();
  if (!open) return;
  open.showPopover();
  const at = place.getBoundingClientRect();
  const { width, height } = open.getBoundingClientRect();
  const below = at.bottom + 2 + height <= innerHeight;
  open.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  open.style.top = `${below ? at.bottom + 2 : Math.max(8, at.top - height - 2)}px`;
  open.scrollTop = 0;
  items()[0]?.focus({ preventScroll: true });
}

function close(): void {
  menu()?.hidePopover();
}

function copyOf(id: string): Node[] {
  const template = document.querySelector<HTMLTemplateElement>(id);
  return template ? [template.content.cloneNode(true)] : [];
}

/** Ask for the menu of a value. One that is longer than any address stays here: its menu has no filters. */
async function askFor(value: HTMLElement): Promise<string> {
  const headers = JSON.parse(document.body.getAttribute("hx-headers") ?? "{}") as Record<string, string>;
  const moment = value.closest<HTMLElement>("[data-time]")?.dataset.time ?? "";
  const body = new URLSearchParams({
    field: value.dataset.field ?? "",
    value: value.dataset.value ?? "",
    page: location.pathname + location.search,
    time: moment,
  });
  if (value.dataset.value) body.set("whole", "1");
  if (body.toString().length > LONGEST) body.set("value", "");
  const answer = await fetch("/desk/value-menu", { method: "POST", headers: { ...headers, "hx-request": "true" }, body });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

async function openMenu(value: HTMLElement, place: Element): Promise<void> {
  const number = ++asked;
  const open = menu();
  if (!open) return;
  try {
    const text = await askFor(value);
    if (number !== asked) return;
    open.innerHTML = text;
  } catch {
    if (number !== asked) return;
    open.replaceChildren(...copyOf("#value-copy"), ...copyOf("#failed"));
    open.querySelector("[data-again]")?.setAttribute("data-menu-again", "");
  }
  origin?.classList.remove("opened");
  origin = value;
  origin.classList.add("opened");
  showAt(place);
}

function valuesAround(): HTMLElement[] {
  const row = document.querySelector("[data-row].current") ?? document.querySelector("[data-row]");
  const place = row?.querySelector(VALUES) ? row : document.querySelector("main");
  const known = new Set<string>();
  return [...(place?.querySelectorAll<HTMLElement>(VALUES) ?? [])].filter((value) => {
    const key = `${value.dataset.field}\n${value.dataset.value}`;
    return value.checkVisibility() && !known.has(key) && known.add(key);
  });
}

/** List the values of the current row, or of the page where it has no rows; each opens its menu. */
function list(): void {
  const open = menu();
  const values = valuesAround();
  const first = values[0];
  if (!open || !first) return;
  asked += 1;
  open.replaceChildren(
    ...values.map((value) => {
      const item = document.createElement("button");
      const field = document.createElement("span");
      field.className = "of-field";
      field.textContent = value.dataset.field ?? "";
      item.type = "button";
      item.role = "menuitem";
      item.tabIndex = -1;
      item.append(field, value.title);
      item.addEventListener("click", () => void openMenu(value, value));
      return item;
    }),
  );
  showAt(first);
}

/** Copy a text exactly, also where the page did not come over TLS and browsers have no clipboard for it. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const put = (event: ClipboardEvent): void => {
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener("copy", put, { capture: true, once: true });
    const copied = document.execCommand("copy");
    document.removeEventListener("copy", put, { capture: true });
    return copied;
  }
}

async function copyValue(): Promise<void> {
  const messages = document.querySelector("#messages");
  if (!origin || !(await copy(textOf(origin)))) return;
  close();
  messages?.replaceChildren(...copyOf("#value-copied"));
}

function moveTo(all: HTMLElement[], place: number): void {
  all[(place + all.length) % all.length]?.focus();
}

function keyInMenu(event: KeyboardEvent): void {
  const all = items();
  const place = all.indexOf(document.activeElement as HTMLElement);
  const steps: Record<string, () => void> = {
    ArrowDown: () => moveTo(all, place + 1),
    ArrowUp: () => moveTo(all, place < 0 ? -1 : place - 1),
    j: () => moveTo(all, place + 1),
    k: () => moveTo(all, place < 0 ? -1 : place - 1),
    Home: () => moveTo(all, 0),
    End: () => moveTo(all, -1),
    Tab: close,
    Escape: close,
  };
  event.stopPropagation();
  const step = steps[event.key];
  if (step) {
    if (event.key !== "Tab") event.preventDefault();
    step();
  } else if (event.key.length === 1 && event.key !== " ") {
    const key = event.key.toLowerCase();
    const begins = (item: HTMLElement): boolean => (item.textContent ?? "").trim().toLowerCase().startsWith(key);
    [...all.slice(place + 1), ...all.slice(0, place + 1)].find(begins)?.focus();
  }
}

export function listenToValues(): void {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (menu()?.matches(":popover-open")) return keyInMenu(event);
      const target = event.target as HTMLElement;
      const writes = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
      if (event.key !== "v" || writes || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      list();
    },
    true,
  );
  document.addEventListener(
    "click",
    (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest("[data-copy-value]")) return void copyValue();
      const button = target?.closest("[data-value-menu], [data-menu-again]");
      const value = button?.matches("[data-menu-again]") ? origin : target?.closest<HTMLElement>(VALUES);
      if (!value || (!button && target?.closest("a, button, summary"))) return;
      if (!button && (event.ctrlKey || event.metaKey || event.shiftKey || getSelection()?.isCollapsed === false)) return;
      event.preventDefault();
      event.stopPropagation(); // a click on the value is none on its row
      void openMenu(value, value);
    },
    true,
  );
  menu()?.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState === "closed") origin?.classList.remove("opened");
  });
}
