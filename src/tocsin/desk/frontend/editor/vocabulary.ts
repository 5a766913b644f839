// What can be written in a query: the fields of the indices that it looks at, and the words of its language.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import type { Words } from "./languages";

interface Vocabulary {
  fields: [name: string, type: string, seen: boolean][];
  words: Record<string, Words>;
}

const NONE: Words = { keywords: [], functions: [] };
let known: Vocabulary = { fields: [], words: {} };

/** Read the words of all languages, which the page brings along. */
export function readWords(): void {
  const place = document.querySelector<HTMLElement>("[data-words]");
  known = { ...known, words: JSON.parse(place?.dataset["words"] ?? "{}") as Record<string, Words> };
}

/** Ask for the fields of some indices; without an answer there are fewer completions, and nothing else changes. */
export async function askForFields(index: string): Promise<void> {
  const answer = await fetch(`/rule-editor/fields?${new URLSearchParams({ index })}`, { headers: { "HX-Request": "true" } });
  if (answer.ok) known = { ...known, fields: (await answer.json()) as Vocabulary["fields"] };
}

export function wordsOf(language: string): Words {
  return known.words[language] ?? NONE;
}

export function completions(language: () => string): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const word = context.matchBefore(/[?]?[\w@.]+/);
    if (!word && !context.explicit) return null;
    const start = word ? word.from + (word.text.startsWith("?") ? 1 : 0) : context.pos;
    const { keywords, functions } = wordsOf(language());
    const options: Completion[] = [
      ...known.fields.map(([label, detail, seen]) => ({ label, detail, type: "property", boost: seen ? 2 : 0 })),
      ...functions.map((label) => ({ label, type: "function", apply: `${label}(` })),
      ...keywords.map((label) => ({ label, type: "keyword", boost: 1 })),
    ];
    return { from: start, options, validFor: /^[\w@.]*$/ };
  };
}
