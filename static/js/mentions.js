// Names after an @ in comment boxes: a list to choose from. Without it people write names in full.
const WORD = /(?:^|[^\w@/.-])@([A-Za-z0-9][\w.-]{0,40})?$/;
let box = null;
let list = null;
let asked = 0;

function typed(area) {
  const found = WORD.exec(area.value.slice(0, area.selectionStart));
  return found ? (found[1] ?? "") : null;
}

function close() {
  list?.remove();
  box?.removeAttribute("aria-controls");
  box?.removeAttribute("aria-activedescendant");
  box = list = null;
}

function mark(option) {
  for (const one of list.children) one.setAttribute("aria-selected", String(one === option));
  box.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function choose(option) {
  const before = box.value.slice(0, box.selectionStart);
  const start = before.lastIndexOf("@") + 1;
  const name = `${option.dataset.name} `;
  box.setRangeText(name, start, box.selectionStart, "end");
  box.focus();
  close();
}

function show(area, people) {
  close();
  if (!people.length) return;
  box = area;
  list = document.createElement("ul");
  list.className = "mention-list";
  list.id = "mention-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", area.dataset.mentions);
  for (const [place, person] of people.entries()) {
    const option = document.createElement("li");
    option.id = `mention-${place}`;
    option.dataset.name = person.name;
    option.setAttribute("role", "option");
    const name = document.createElement("b");
    name.textContent = person.name;
    option.append(name, ` ${person.fullName}`);
    option.addEventListener("mousedown", (event) => {
      event.preventDefault();
      choose(option);
    });
    list.append(option);
  }
  area.after(list);
  area.setAttribute("aria-controls", list.id);
  mark(list.firstElementChild);
}

async function look(area) {
  const word = typed(area);
  const turn = ++asked;
  if (!word) return close();
  const answer = await fetch(`/-/people?q=${encodeURIComponent(word)}`).catch(() => null);
  if (turn !== asked || !answer?.ok) return undefined;
  return show(area, await answer.json());
}

let waiting;
document.addEventListener("input", (event) => {
  if (!event.target.matches?.("textarea[data-mentions]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => look(event.target), 120);
});
document.addEventListener("keydown", (event) => {
  if (!list || event.target !== box) return;
  const at = [...list.children].findIndex((one) => one.ariaSelected === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) mark(list.children[(at + step + list.children.length) % list.children.length]);
  else if (event.key === "Enter" || event.key === "Tab") choose(list.children[Math.max(at, 0)]);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
});
document.addEventListener("focusout", (event) => event.target === box && close());
