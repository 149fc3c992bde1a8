// Light or dark: as the system is, until somebody chooses.

import { keeper } from "./dom.js";

const THEMES = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const kept = keeper("localStorage", "elastic-theme");
let theme = THEMES.find((each) => each === kept.get()) ?? "system";

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
    kept.set(theme);
    apply();
  });
  apply();
}

apply();
