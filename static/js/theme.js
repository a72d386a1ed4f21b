// The theme button: automatic, light, dark. The cookie lets the server render the choice.
const CHOICES = ["auto", "light", "dark"];
const button = document.querySelector("[data-theme-button]");
const ICONS = { auto: "auto", light: "sun", dark: "moon" };

function apply(theme) {
  document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? ";secure" : "";
  document.cookie = `theme=${theme};path=/;max-age=31536000;samesite=lax${secure}`;
  if (button) {
    const use = button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${ICONS[theme]}`));
    button.setAttribute("aria-label", button.dataset[theme]);
    button.title = button.dataset[theme];
  }
  document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
}

function current() {
  const theme = document.documentElement.dataset.theme;
  return CHOICES.includes(theme) ? theme : "auto";
}

if (button) {
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(current()) + 1) % CHOICES.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage can be switched off: the cookie alone still holds the choice.
    }
    apply(next);
  });
}

// Another tab changed it.
addEventListener("storage", (event) => {
  if (event.key === "theme" && CHOICES.includes(event.newValue)) apply(event.newValue);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (current() === "auto") document.dispatchEvent(new CustomEvent("themechange"));
});
