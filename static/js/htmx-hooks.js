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
