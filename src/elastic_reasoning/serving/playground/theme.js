// Light or dark: as the system is, until somebody chooses.

const THEMES = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const stored = localStorage.getItem("elastic-theme");
let theme = THEMES.includes(stored) ? stored : "system";

function apply() {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button === null) return;
  button.setAttribute("aria-label", `Theme: ${theme === "system" ? "as the system" : theme}`);
  button.title = button.getAttribute("aria-label");
  button.firstElementChild.textContent = SIGNS[theme];
}

export function startTheme(button) {
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem("elastic-theme", theme);
    apply();
  });
  apply();
}

apply();
