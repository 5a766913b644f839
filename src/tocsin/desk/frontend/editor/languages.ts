// The languages of queries, as they are coloured: words, fields, texts, numbers, signs.
import { StreamLanguage, type StringStream } from "@codemirror/language";

export interface Words {
  keywords: string[];
  functions: string[];
}

interface State {
  until: string; // what ends a text or comment that goes over several lines
}

const FIELD = /^[?]?[A-Za-z_@][\w@]*(?:\.[\w@*-]+)*[*]?/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:ms|[smhd])?\b/;

function within(stream: StringStream, state: State, style: string): string {
  if (stream.skipTo(state.until)) {
    stream.match(state.until);
    state.until = "";
  } else stream.skipToEnd();
  return style;
}

/** Go over a text in quotes, whose sign may stand behind a backslash. */
function text(stream: StringStream, quote: string): string {
  let escaped = false;
  for (let next = stream.next(); next; next = stream.next()) {
    if (next === quote && !escaped) break;
    escaped = !escaped && next === "\\";
  }
  return "string";
}

function token(stream: StringStream, state: State, words: Words): string | null {
  if (state.until) return within(stream, state, state.until === "*/" ? "comment" : "string");
  if (stream.eatSpace()) return null;
  if (stream.match("//")) {
    stream.skipToEnd();
    return "comment";
  }
  for (const [begin, end, style] of [["/*", "*/", "comment"], ['"""', '"""', "string"]] as const) {
    if (stream.match(begin)) {
      state.until = end;
      return within(stream, state, style);
    }
  }
  const quote = stream.match(/^["'`]/);
  if (quote) return text(stream, (quote as RegExpMatchArray)[0]);
  if (stream.match(NUMBER)) return "number";
  const name = stream.match(FIELD) as RegExpMatchArray | null;
  if (name) {
    const word = name[0].toLowerCase();
    if (words.keywords.includes(word)) return "keyword";
    if (stream.match(/^~?\s*\(/, false) && words.functions.some((known) => known.toLowerCase() === word)) return "variableName.function";
    return "propertyName";
  }
  if (stream.match(/^(?:==|!=|<=|>=|[<>=:~|?])/)) return "operator";
  stream.next();
  return "punctuation";
}

export function languageOf(words: Words): StreamLanguage<State> {
  return StreamLanguage.define<State>({
    startState: () => ({ until: "" }),
    token: (stream, state) => token(stream, state, words),
    languageData: { commentTokens: { line: "//" }, closeBrackets: { brackets: ["(", "[", '"'] } },
  });
}
