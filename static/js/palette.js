// The command palette: / and Ctrl-K or Cmd-K open it on every page. The server says what a text may mean;
// what was opened from here before is kept in this browser alone.
const dialog = document.getElementById("palette");
const input = document.getElementById("palette-input");
const list = document.getElementById("palette-list");
const KEPT = "palette-recent";
const MOST = 6;
let timer;
let asked = 0;

function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return kept.filter((each) => typeof each?.path === "string" && /^\/(?!\/)/.test(each.path));
  } catch {
    return [];
  }
}

function keep(option) {
  const path = option.getAttribute("href");
  const label = option.querySelector(".grow")?.textContent;
  const kept = [{ path, label }, ...recent().filter((each) => each.path !== path)];
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept.slice(0, MOST)));
  } catch {
    // A browser that keeps nothing has no recent ones.
  }
}

function recentGroup() {
  const kept = recent();
  if (!kept.length) return [];
  const group = document.createElement("div");
  group.setAttribute("role", "group");
  group.setAttribute("aria-labelledby", "palette-recent");
  const heading = document.createElement("h3");
  heading.id = "palette-recent";
  heading.textContent = dialog.dataset.recent;
  group.append(heading);
  kept.forEach(({ path, label }, at) => {
    const option = document.createElement("a");
    option.id = `palette-recent-${at}`;
    option.href = path;
    option.tabIndex = -1;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const text = document.createElement("span");
    text.className = "grow";
    text.textContent = label;
    option.append(text);
    group.append(option);
  });
  return [group];
}

// What was opened from here lately stands in a group of its own and not a second time below.
function withoutRecent(found) {
  const known = new Set(recent().map((each) => each.path));
  const kept = [...found];
  for (const group of kept) {
    const own = [...(group.querySelectorAll?.('[role="option"]') ?? [])];
    const double = own.filter((each) => known.has(each.getAttribute("href")));
    for (const each of double) each.remove();
    if (own.length && double.length === own.length) group.remove();
  }
  return kept.filter((each) => each.parentNode);
}

const options = () => [...list.querySelectorAll('[role="option"]')];
const current = () => list.querySelector('[aria-selected="true"]');

function choose(option) {
  current()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) input.setAttribute("aria-activedescendant", option.id);
  else input.removeAttribute("aria-activedescendant");
}

async function ask() {
  const mine = (asked += 1);
  const text = input.value.trim();
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`${dialog.dataset.src}?q=${encodeURIComponent(text)}`, {
      headers: { Accept: "text/html" },
    });
    const body = answer.ok ? await answer.text() : "";
    if (mine !== asked) return;
    const found = new DOMParser().parseFromString(body, "text/html").body.childNodes;
    if (text) list.replaceChildren(...found);
    else list.replaceChildren(...recentGroup(), ...withoutRecent(found));
    choose(options()[0]);
  } catch {
    if (mine === asked) list.replaceChildren();
  } finally {
    if (mine === asked) list.removeAttribute("aria-busy");
  }
}

async function dressed() {
  if (document.getElementById("palette-style")) return;
  const link = document.createElement("link");
  link.id = "palette-style";
  link.rel = "stylesheet";
  link.href = dialog.dataset.style;
  const loaded = new Promise((done) => { link.onload = link.onerror = done; });
  document.head.append(link);
  await loaded;
}

async function open() {
  await dressed();
  if (dialog.open) return;
  input.value = "";
  dialog.showModal();
  ask();
}

function act(name) {
  dialog.close();
  const button = {
    theme: "[data-theme-button]",
    language: ".top-tools button[name=language]",
    "sign-out": 'form[action="/-/sign-out"] button',
  }[name];
  document.querySelector(button)?.click();
}

function follow(option, event) {
  if (option.dataset.act) {
    event.preventDefault();
    act(option.dataset.act);
  } else {
    keep(option);
  }
}

if (dialog) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    const bare = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "/" && bare && !typing) {
      event.preventDefault();
      open();
    } else if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog.open) dialog.close();
      else open();
    }
  });
  for (const button of document.querySelectorAll("[data-palette]")) {
    button.addEventListener("click", open);
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  input.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.indexOf(current());
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      event.preventDefault();
      choose(all[(at + step + all.length) % all.length]);
    } else if (event.key === "Enter" && !event.isComposing && current()) {
      event.preventDefault();
      current().click();
    } else if (event.key === "Escape" && !event.isComposing) {
      event.preventDefault(); // a search field would take the first one to empty itself
      dialog.close();
    } else if ((event.key === "Home" || event.key === "End") && event.ctrlKey && all.length) {
      event.preventDefault();
      choose(all.at(event.key === "Home" ? 0 : -1));
    }
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option) follow(option, event);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
