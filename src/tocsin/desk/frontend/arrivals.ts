// New alerts of a list: counted every few seconds while the page is seen, and shown when somebody asks for them.
const EVERY = 5_000; // milliseconds
let title = ""; // of the page, without the count
let ended = false; // the session: nothing is asked for any more
let timer: number | undefined;

function bar(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-arrivals]");
}

function show(selector: string, shown: boolean): void {
  const part = bar()?.querySelector<HTMLElement>(selector);
  if (part) part.hidden = !shown;
}

function showCount(count: number): void {
  const link = bar()?.querySelector<HTMLElement>("[data-show-new]");
  const text = (link?.dataset.text ?? "").replace("0", count.toLocaleString("en"));
  if (link && link.textContent !== text) link.textContent = text;
  show("[data-show-new]", count > 0);
  document.title = count > 0 ? `(${count}) ${title}` : title;
}

async function look(): Promise<void> {
  const place = bar();
  const address = place?.dataset.arrivals;
  if (!place || !address || ended || document.hidden) return;
  try {
    const answer = await fetch(address, { headers: { "hx-request": "true" }, signal: AbortSignal.timeout(20_000) });
    if (!place.isConnected) return; // the list has become another one meanwhile
    ended = answer.status === 401;
    show("[data-ended]", ended);
    show("[data-away]", !answer.ok && !ended);
    if (answer.ok) showCount(((await answer.json()) as { count: number }).count);
  } catch {
    show("[data-away]", true);
  }
}

function lookAgain(): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => void look().finally(lookAgain), EVERY);
}

export function showNew(): void {
  const link = bar()?.querySelector<HTMLElement>("[data-show-new]");
  if (link && !link.hidden) link.click();
}

export function listenToArrivals(): void {
  if (!document.querySelector("#list")) return;
  title = document.title;
  lookAgain();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void look();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if ((event as CustomEvent<{ target?: Element }>).detail.target?.id === "list") document.title = title;
  });
}
