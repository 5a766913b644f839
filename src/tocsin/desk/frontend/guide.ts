// The guide beside an alert: queries are copied, and counts that did not come say so.

async function copy(button: HTMLElement): Promise<void> {
  const text = button.parentElement?.querySelector("[data-copied]");
  if (!text) return;
  const selection = getSelection();
  selection?.selectAllChildren(text); // it stays selected: browsers copy for pages by themselves only over TLS
  try {
    await navigator.clipboard.writeText(text.textContent ?? "");
    button.textContent = "✓";
  } catch {
    button.textContent = "Ctrl+C";
  }
}

function sayNotCounted(source: Element): void {
  const address = source.getAttribute("hx-get");
  const failed = document.querySelector<HTMLTemplateElement>("#counts-failed");
  const place = document.querySelector("#guide-again");
  if (!address || !failed || !place) return;
  document.querySelectorAll(".count .waiting").forEach((waiting) => waiting.replaceWith("?"));
  place.replaceChildren(failed.content.cloneNode(true));
}

export function listenToGuides(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null;
    if (button) void copy(button);
    if (event.target instanceof Element && event.target.closest("[data-count-again]")) {
      document.querySelector("[data-counts]")?.dispatchEvent(new CustomEvent("again"));
    }
  });
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => {
      if (event.target instanceof Element && event.target.matches("[data-counts]")) sayNotCounted(event.target);
    });
  }
}
