import { byId } from "./dom.ts";

/** Light or dark: the system's choice until the reader makes one with the button #theme. */
export type Theme = "light" | "dark";

export const theme = (): Theme => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

/** A colour of the page's style, by the name of its variable without the dashes. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Set the theme and follow it. `changed` runs after each later change. */
export const followTheme = (changed: () => void): void => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const print = matchMedia("print");
  const button = byId<HTMLButtonElement>("theme");
  let chosen: Theme | null = null;
  const apply = (): void => {
    const dark = !print.matches && (chosen ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", dark ? "Switch to the light theme" : "Switch to the dark theme");
  };
  const change = (): void => {
    apply();
    changed();
  };
  button.addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    change();
  });
  system.addEventListener("change", change);
  print.addEventListener("change", change); // paper is white
  apply();
};
