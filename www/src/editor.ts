import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, type SQLNamespace, sql } from "@codemirror/lang-sql";
import { bracketMatching, ensureSyntaxTree, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

/** A statement of the text, and its start position. */
export interface Statement {
  sql: string;
  at: number;
}

/** The names for completion: tables, each with its columns. */
export type Names = Record<string, string[]>;

export interface EditorEvents {
  /** Ctrl+Enter: the selection, or everything. */
  onRun(): void;
  /** Ctrl+Shift+Enter: the statement at the cursor. */
  onRunOne(): void;
  onChange(text: string): void;
}

/** The maximum time for parsing a text into statements, in milliseconds. */
const PARSE_MS = 2000;

/** The SQL editor. */
export class Editor {
  #view: EditorView;
  #language = new Compartment();

  constructor(parent: HTMLElement, text: string, events: EditorEvents) {
    const run = (work: () => void) => (view: EditorView) => {
      closeCompletion(view);
      work();
      return true;
    };
    const keys = [
      { key: "Mod-Enter", run: run(() => events.onRun()) },
      { key: "Mod-Shift-Enter", run: run(() => events.onRunOne()) },
    ];
    const extensions = [
      Prec.highest(keymap.of(keys)),
      // Tab accepts a completion if one is shown, else moves the focus on.
      keymap.of([{ key: "Tab", run: acceptCompletion }]),
      lineNumbers(),
      history(),
      drawSelection(),
      EditorState.allowMultipleSelections.of(true),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      autocompletion({ icons: false }),
      highlightActiveLine(),
      syntaxHighlighting(classHighlighter),
      placeholder("SELECT …"),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": "SQL" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) events.onChange(this.text);
      }),
      this.#language.of(language({})),
    ];
    this.#view = new EditorView({ parent, doc: text, extensions });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  set text(text: string) {
    this.#view.dispatch({
      changes: { from: 0, to: this.#view.state.doc.length, insert: text },
      selection: { anchor: text.length },
    });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Inserts text at the cursor. */
  insert(text: string): void {
    this.#view.dispatch(this.#view.state.replaceSelection(text));
    this.focus();
  }

  complete(names: Names): void {
    this.#view.dispatch({ effects: this.#language.reconfigure(language(names)) });
  }

  /** The selected statements, or all. */
  statements(): Statement[] {
    const { from, to, empty } = this.#view.state.selection.main;
    if (empty) return statementsOf(this.#view.state);
    const selected = EditorState.create({ doc: this.#view.state.sliceDoc(from, to), extensions: language({}) });
    return statementsOf(selected).map(({ sql, at }) => ({ sql, at: at + from }));
  }

  /** The statement at the cursor, or the last one before it. */
  statementAtCursor(): Statement[] {
    const { head } = this.#view.state.selection.main;
    const all = statementsOf(this.#view.state);
    const at = all.findLast((statement) => statement.at <= head) ?? all[0];
    return at ? [at] : [];
  }

  /** Marks an error at `line` and `column` of the statement, both counted from 1. Without an error, removes all marks. */
  mark(error?: { statement: Statement; line: number; column: number; message: string }): void {
    const { state } = this.#view;
    if (!error) {
      this.#view.dispatch(setDiagnostics(state, []));
      return;
    }
    const lines = error.statement.sql.split("\n");
    const before = lines.slice(0, error.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    const from = Math.min(error.statement.at + before + error.column - 1, state.doc.length);
    const to = state.wordAt(from)?.to ?? Math.min(from + 1, state.doc.length);
    this.#view.dispatch(setDiagnostics(state, [{ from, to, severity: "error", message: error.message }]));
  }
}

function language(schema: SQLNamespace) {
  return sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true });
}

/** The statements of a text, without the semicolons between them. */
function statementsOf(state: EditorState): Statement[] {
  const tree = ensureSyntaxTree(state, state.doc.length, PARSE_MS);
  const statements: Statement[] = [];
  for (let node = tree?.topNode.firstChild; node; node = node.nextSibling) {
    if (node.name !== "Statement") continue;
    const sql = state.sliceDoc(node.from, node.to).replace(/;\s*$/, "");
    if (sql.trim() !== "") statements.push({ sql, at: node.from });
  }
  return statements;
}
