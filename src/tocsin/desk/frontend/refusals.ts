// What the service refuses is shown where its answer would have been, in places that are made for it; what it has
// refused of a form is no longer true of what is typed anew.
const WRONG = ".rule-field.wrong, .query-editor.wrong";

/** Take away what was said of a field before it was changed, and what was said of the form as it was. */
export function forget(field: Element): void {
  document.querySelectorAll("[data-refused]").forEach((problem) => problem.remove());
  const wrong = field.closest(WRONG);
  wrong?.querySelectorAll(".field-problem").forEach((problem) => problem.remove());
  wrong?.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  wrong?.classList.remove("wrong");
  if (!document.querySelector(WRONG)) document.querySelector("[data-wrong-fields]")?.remove();
}

export function showRefusals(): void {
  document.addEventListener("input", (event) => {
    if (event.target instanceof Element && event.target.closest("form[method=post]")) forget(event.target);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event as CustomEvent<{ xhr: XMLHttpRequest; target: Element; shouldSwap: boolean; isError: boolean }>;
    if (detail.xhr.status < 400 || detail.xhr.status >= 500 || !detail.target.matches("[data-refusals]")) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });
}
