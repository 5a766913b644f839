// What the service refuses is shown where its answer would have been, in places that are made for it.
export function showRefusals(): void {
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event as CustomEvent<{ xhr: XMLHttpRequest; target: Element; shouldSwap: boolean; isError: boolean }>;
    if (detail.xhr.status < 400 || detail.xhr.status >= 500 || !detail.target.matches("[data-refusals]")) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });
}
