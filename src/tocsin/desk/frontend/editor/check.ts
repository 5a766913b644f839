// A query is compiled by the service while it is written; its errors stand at their place, and in words below it.
import type { Diagnostic } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";

interface Fault {
  line: number | null;
  column: number;
  end: number;
  message: string;
  hint: string;
  severity: "error" | "warning";
}

function place(view: EditorView, fault: Fault): { from: number; to: number } {
  if (fault.line === null) return { from: 0, to: view.state.doc.length };
  const line = view.state.doc.line(Math.min(fault.line, view.state.doc.lines));
  // The service counts characters, a browser the halves of those beyond the first 65,536.
  const offset = (column: number) => [...line.text].slice(0, column - 1).join("").length;
  const from = Math.min(line.from + offset(fault.column), line.to);
  const to = Math.min(line.from + offset(Math.max(fault.end, fault.column + 1)), line.to);
  return from === to ? { from: Math.max(line.from, from - 1), to } : { from, to };
}

function said(fault: Fault): string {
  const where = fault.line === null ? "" : `${fault.line}:${fault.column} `;
  return `${where}${fault.message}${fault.hint ? ` (${fault.hint})` : ""}`;
}

/** Return what checks a query; `about` gives what else of the form decides whether it can be read. */
export function checks(about: () => URLSearchParams, words: HTMLElement): (view: EditorView) => Promise<Diagnostic[]> {
  return async (view) => {
    if (!view.state.doc.toString().trim()) {
      words.textContent = "";
      return [];
    }
    const body = about();
    body.set("query", view.state.doc.toString());
    const headers = { "HX-Request": "true", ...(JSON.parse(document.body.getAttribute("hx-headers") ?? "{}") as object) };
    const answer = await fetch("/rule-editor/check", { method: "POST", headers, body }).catch(() => null);
    if (!answer?.ok) {
      words.className = "query-state dim";
      words.textContent = words.dataset["unchecked"] ?? "";
      return [];
    }
    const faults = (await answer.json()) as Fault[];
    const worst = faults.some((fault) => fault.severity === "error") ? "error" : "warning";
    words.className = `query-state ${faults.length ? worst : "fine"}`;
    // What was said of the query when it was not saved stands there once.
    if (faults.length) words.closest(".query-editor")?.querySelectorAll(".field-problem").forEach((problem) => problem.remove());
    words.textContent = faults.length ? faults.map(said).join("\n") : (words.dataset["fine"] ?? "");
    return faults.map((fault) => ({
      ...place(view, fault), severity: fault.severity, message: fault.hint ? `${fault.message}\n${fault.hint}` : fault.message,
    }));
  };
}
