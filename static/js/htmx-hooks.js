// What htmx needs from us: the CSRF header, and a word when the hub does not answer.
const notices = document.getElementById("notices");

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) event.detail.headers["X-CSRFToken"] = token;
});

function say(text) {
  const notice = document.createElement("p");
  notice.className = "notice tone-fail";
  const words = document.createElement("span");
  words.textContent = text;
  notice.append(words);
  notices.replaceChildren(notice);
}

document.addEventListener("htmx:sendError", () => notices && say(notices.dataset.unreachable));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (notices) say(status === 429 ? notices.dataset.slowDown : notices.dataset.refused);
});
document.addEventListener("htmx:afterOnLoad", () => notices?.replaceChildren());

// A search that goes on by itself is stopped: the step that is under way is its last one.
let isStopped = false;
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-stop-search]");
  if (!button) return;
  isStopped = true;
  button.closest("[data-goes-on]").dataset.stopped = "";
});
document.addEventListener("htmx:beforeRequest", (event) => {
  const asks = event.detail.elt;
  if (!isStopped || !asks.matches("[data-goes-on]")) return;
  event.preventDefault();
  asks.dataset.stopped = "";
});
