// What is done with alerts: the rows that are selected, else the current one; small forms that Enter sends; undo.
import { boxOf, currentRow, isOfList, rows, setBox } from "./rows";

const SHOWN_MS = 10_000; // as long as the server offers to undo a change
const SELECTED = "[data-row] input[name=id]:checked";

/** Select the current row where nothing is selected. Tell whether there is anything to act on. */
function meansSomething(): boolean {
  if (!rows().length) return document.querySelector("[data-alert]") !== null;
  if (document.querySelector(`${SELECTED}, [data-all]:checked`)) return true;
  setBox(boxOf(currentRow()), true);
  return document.querySelector(SELECTED) !== null;
}

/** Press a button of the actions that sets a status. */
export function setStatus(status: string): void {
  const button = document.querySelector<HTMLButtonElement>(`[data-actions] button[value="${status}"]`);
  if (button && meansSomething()) button.click();
}

/** Open one of the small forms. */
export function openSheet(id: string): void {
  const sheet = document.getElementById(id);
  if (sheet && meansSomething()) sheet.showPopover();
}

export function assignToMe(): void {
  const button = document.querySelector<HTMLButtonElement>('#assign-form button[value="me"]');
  if (button && meansSomething()) button.click();
}

export function undo(): void {
  document.querySelector<HTMLButtonElement>("[data-undo]")?.click();
}

export function selectRow(): void {
  const box = boxOf(currentRow());
  setBox(box, !box?.checked);
}

export function selectPage(): void {
  document.querySelector<HTMLInputElement>("[data-select-page]")?.click();
}

/** Say how many are selected, and show the box of the whole page as it is. */
function count(): void {
  const boxes = rows().map(boxOf).filter((box) => box !== null);
  const selected = boxes.filter((box) => box.checked).length;
  const all = document.querySelector<HTMLInputElement>("[data-all]")?.checked;
  const shown = document.querySelector<HTMLElement>("[data-selected]");
  if (shown) shown.textContent = selected && !all ? (shown.dataset.selected ?? "").replace("0", String(selected)) : "";
  const page = document.querySelector<HTMLInputElement>("[data-select-page]");
  if (!page) return;
  page.checked = selected > 0 && selected === boxes.length;
  page.indeterminate = selected > 0 && selected < boxes.length;
}

let last: HTMLInputElement | null = null; // the box that was clicked last: with Shift all up to another one follow

function clicked(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-dismiss]")) target.closest("[data-message]")?.remove();
  if (!(target instanceof HTMLInputElement)) return;
  if (target.matches("[data-select-page]")) for (const row of rows()) setBox(boxOf(row), target.checked);
  if (!target.matches("[data-row] input[name=id]")) return;
  const boxes = rows().map(boxOf);
  const [from, to] = [boxes.indexOf(last), boxes.indexOf(target)].sort((one, other) => one - other);
  if (event.shiftKey && from !== undefined && from >= 0) {
    for (const box of boxes.slice(from, (to ?? from) + 1)) setBox(box, target.checked);
  }
  last = target;
}

/** Send a small form by Enter. Shift+Enter begins a line of a comment. */
function entered(event: KeyboardEvent): void {
  const target = event.target instanceof HTMLElement ? event.target : null;
  const sheet = target?.closest("[data-sheet]");
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !sheet || target?.matches("button")) return;
  event.preventDefault();
  sheet.querySelector<HTMLButtonElement>("[data-primary]")?.click();
}

/** Say what could not be done: the answer's own words, else that there was none. */
function failed(event: Event): void {
  const { elt, xhr } = (event as CustomEvent<{ elt?: Element; xhr?: XMLHttpRequest }>).detail;
  const place = document.querySelector("#messages");
  if (!elt?.closest("[data-bulk], .undo") || !place) return;
  document.querySelectorAll<HTMLElement>(":popover-open").forEach((sheet) => sheet.hidePopover());
  const template = document.querySelector<HTMLTemplateElement>("#action-failed");
  const words = xhr?.responseText && new DOMParser().parseFromString(xhr.responseText, "text/html").body.textContent;
  if (template) place.replaceChildren(template.content.cloneNode(true));
  const text = place.querySelector("p");
  if (text && words) text.textContent = words.trim();
}

let passes: number | undefined;

/** Take a message away when its offer is over, unless it says what went wrong. */
function letPass(): void {
  clearTimeout(passes);
  const message = document.querySelector<HTMLElement>("[data-message]");
  if (!message) return;
  passes = window.setTimeout(() => {
    message.querySelector(".undo")?.remove();
    if (message.matches(".passes")) message.remove();
  }, SHOWN_MS);
}

export function listenToActions(): void {
  document.addEventListener("change", count);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", entered);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!isOfList(event)) return;
    count();
    letPass();
  });
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, failed);
  }
  letPass();
  count();
}
