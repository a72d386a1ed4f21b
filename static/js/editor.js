// A textarea becomes a code editor once somebody begins to write in it: until then its 150 kB stay
// where they are. Without this script it stays a textarea. Leaving with changes warns.
const area = document.querySelector("textarea[data-editor]");
const form = area.form;
const pathField = document.getElementById("edit-path");
// What comes back from a refusal or a look is not what lies in the repository.
const begun = "changed" in area.dataset ? null : area.value;
let leaving = false;
let composing = false;

form.addEventListener("submit", () => (leaving = true));
addEventListener("beforeunload", (event) => {
  if (!leaving && area.value !== begun) event.preventDefault();
});
// A shadow root takes style sheets made by scripts, which the policy of the page forbids elsewhere.
function place() {
  const host = document.createElement("div");
  host.className = "editor";
  area.after(host);
  return host.attachShadow({ mode: "open" });
}

const color = (name) => `var(--${name})`;

// Nothing is taken away in the midst of a word that is being composed.
function composed() {
  return new Promise((resolve) => {
    if (composing) area.addEventListener("compositionend", () => setTimeout(resolve), { once: true });
    else resolve();
  });
}

async function begin() {
  const cm = await import(area.dataset.editor);
  await composed();
  const { EditorView, tags } = cm;
  const root = place();
  const marks = cm.HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: color("code-keyword") },
    { tag: [tags.string, tags.special(tags.string)], color: color("code-string") },
    { tag: [tags.number, tags.bool, tags.null, tags.atom], color: color("code-number") },
    { tag: [tags.comment, tags.meta], color: color("code-comment") },
    { tag: [tags.function(tags.variableName), tags.className, tags.propertyName], color: color("code-name") },
    { tag: [tags.tagName, tags.link, tags.url], color: color("code-tag") },
    { tag: tags.heading, fontWeight: "650" },
    { tag: tags.strong, fontWeight: "650" },
    { tag: tags.emphasis, fontStyle: "italic" },
  ]);
  const look = EditorView.theme({
    "&": { color: color("ink"), backgroundColor: color("surface"), fontSize: "13px", maxHeight: "70vh" },
    // The gutter lies above its editor: the ring lies above both.
    "&.cm-focused": { outline: "none" },
    "&.cm-focused::after": { content: '""', position: "absolute", inset: "0", zIndex: "300", pointerEvents: "none", border: `2px solid ${color("focus")}` },
    ".cm-scroller": { fontFamily: color("mono"), lineHeight: "1.6" },
    ".cm-content, .cm-gutter": { minHeight: "360px" },
    ".cm-content": { caretColor: color("ink") },
    ".cm-gutters": { backgroundColor: color("raised"), color: color("muted"), borderRight: `1px solid ${color("line")}` },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--hover) 60%, transparent)" },
    ".cm-cursor": { borderLeftColor: color("ink") },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: color("accent-soft") },
  });
  const names = JSON.parse(area.dataset.languages);
  const language = new cm.Compartment();
  let spoken;
  const languageNow = () => names[pathField.value.toLowerCase().split(".").pop()];
  const inLanguage = () => cm.languages[(spoken = languageNow())]?.() ?? [];
  const label = area.labels[0].textContent;
  const { selectionStart, selectionEnd, scrollTop } = area;
  const isFocused = document.activeElement === area;
  const view = new EditorView({
    root,
    parent: root,
    doc: area.value,
    selection: { anchor: selectionStart, head: selectionEnd },
    extensions: [
      cm.lineNumbers(), cm.history(), cm.drawSelection(), cm.highlightSpecialChars(), cm.highlightActiveLine(),
      cm.highlightActiveLineGutter(), cm.indentOnInput(), cm.bracketMatching(), cm.syntaxHighlighting(marks),
      // Tab leaves the editor, as it leaves any field.
      cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap]),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) area.value = update.state.doc.toString();
      }),
      look,
      language.of(inLanguage()),
    ],
  });
  pathField.addEventListener("input", () => {
    if (languageNow() !== spoken) view.dispatch({ effects: language.reconfigure(inLanguage()) });
  });
  view.scrollDOM.tabIndex = 0; // it scrolls by the keyboard too
  area.hidden = true;
  view.scrollDOM.scrollTop = scrollTop;
  if (isFocused) view.focus();
}

area.addEventListener("compositionstart", () => (composing = true));
area.addEventListener("compositionend", () => (composing = false));
if (document.activeElement === area) begin();
else area.addEventListener("focus", begin, { once: true });
