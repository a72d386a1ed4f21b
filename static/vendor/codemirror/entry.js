// Built into codemirror.min.js; see static/vendor/README.md.
import {EditorState, Compartment} from "@codemirror/state";
import {EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection, highlightSpecialChars} from "@codemirror/view";
import {defaultKeymap, history, historyKeymap} from "@codemirror/commands";
import {Language, LanguageSupport, StreamLanguage, defineLanguageFacet, indentOnInput, bracketMatching, syntaxHighlighting, HighlightStyle} from "@codemirror/language";
import {tags} from "@lezer/highlight";
import {parser as markdownParser, GFM} from "@lezer/markdown";
import {yaml} from "@codemirror/lang-yaml";
import {json} from "@codemirror/lang-json";
import {pythonLanguage} from "@codemirror/lang-python";
import {jinja2} from "@codemirror/legacy-modes/mode/jinja2";
const markdownLanguage = new Language(defineLanguageFacet(), markdownParser.configure(GFM), [], "markdown");
export const languages = {
  markdown: () => markdownLanguage,
  yaml, json,
  python: () => pythonLanguage,
  jinja: () => StreamLanguage.define(jinja2),
};
export {EditorState, EditorView, Compartment, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection, highlightSpecialChars, defaultKeymap, history, historyKeymap, indentOnInput, bracketMatching, syntaxHighlighting, HighlightStyle, tags};
