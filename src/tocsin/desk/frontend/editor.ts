// The editors of queries on a rule's form. Each stands in the place of a text area, which keeps what is written: without
// a script the text area itself is there. An editor lives in a shadow root, whose styles are no text of the page.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { forceLinting, lintKeymap, linter, lintGutter } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { checks } from "./editor/check";
import { languageOf } from "./editor/languages";
import { typingOverSelections } from "./editor/typing";
import { askForFields, completions, readWords, wordsOf } from "./editor/vocabulary";

const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.string, color: "var(--low)" },
  { tag: tags.number, color: "var(--medium)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
  { tag: tags.function(tags.variableName), color: "var(--ink)", fontWeight: "600" },
  { tag: tags.propertyName, color: "var(--ink)" },
  { tag: [tags.operator, tags.punctuation], color: "var(--dim)" },
]);
const LOOK = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--card)", border: "1px solid var(--line)", borderRadius: "6px", fontSize: "12.5px" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", minHeight: "150px", maxHeight: "46vh", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--code)", color: "var(--dim)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--current) 45%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)" },
  ".cm-matchingBracket": { backgroundColor: "var(--current)", outline: "1px solid var(--line)" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--current)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--dim)", fontStyle: "normal" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap", maxWidth: "70ch" },
});

function value(form: HTMLFormElement, name: string): string {
  const field = form.elements.namedItem(name);
  return field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement ? field.value : "";
}

function edit(area: HTMLTextAreaElement): void {
  const form = area.form;
  const words = area.parentElement?.querySelector<HTMLElement>("[data-state]");
  if (!form || !words) return;
  const language = () => value(form, area.dataset["language"] ?? "") || area.dataset["editor"] || "eql";
  const about = () => new URLSearchParams({ type: area.dataset["type"] ?? "", language: language(), index: value(form, area.dataset["index"] ?? "index") });
  const colours = new Compartment();
  const place = document.createElement("div");
  area.before(place);
  area.hidden = true;
  // What is typed here is no key of the desk's: seen from outside its target is no field.
  place.addEventListener("keydown", (event) => event.stopPropagation());
  const root = place.attachShadow({ mode: "open" });
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        lineNumbers(), lintGutter(), history(), drawSelection(), bracketMatching(), closeBrackets(), highlightActiveLine(),
        EditorView.lineWrapping, typingOverSelections, syntaxHighlighting(COLOURS), LOOK, colours.of(languageOf(wordsOf(language()))),
        autocompletion({ override: [completions(language)], maxRenderedOptions: 60 }),
        linter(checks(about, words), { delay: 400 }),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
        EditorView.contentAttributes.of({ "aria-label": area.getAttribute("aria-label") ?? "", spellcheck: "false" }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = update.state.doc.toString();
          area.dispatchEvent(new Event("input", { bubbles: true }));
        }),
      ],
    }),
  });
  form.addEventListener("change", (event) => {
    const name = (event.target as HTMLInputElement).name;
    if (name === area.dataset["language"]) view.dispatch({ effects: colours.reconfigure(languageOf(wordsOf(language()))) });
    if (name === area.dataset["language"] || name === (area.dataset["index"] ?? "index")) forceLinting(view);
  });
}

readWords();
const areas = [...document.querySelectorAll<HTMLTextAreaElement>("textarea[data-editor]")];
const index = document.querySelector<HTMLTextAreaElement>("textarea[name=index]");
areas.forEach(edit);
void askForFields(index?.value ?? "");
index?.addEventListener("change", () => void askForFields(index.value));
// A form that was changed asks before it is left.
const form = areas[0]?.form;
let changed = false;
form?.addEventListener("input", () => (changed = true));
form?.addEventListener("submit", () => (changed = false));
addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});
