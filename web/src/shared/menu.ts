/** Menus are details elements of the class "menu". Escape closes one, and so does a press or a focus elsewhere. */

const openMenus = (): HTMLDetailsElement[] => [...document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")];

const closeOthers = ({ target }: Event): void => {
  for (const menu of openMenus()) if (!(target instanceof Node && menu.contains(target))) menu.open = false;
};

const MARGIN = 8; // pixels between a menu and the end of the window

/** Let a menu end where its button ends, as far as it is in the window then. */
const place = (menu: HTMLDetailsElement): void => {
  const panel = menu.querySelector<HTMLElement>(".panel");
  if (!panel) return;
  const { left, right } = menu.getBoundingClientRect();
  const last = document.documentElement.clientWidth - panel.offsetWidth - MARGIN;
  panel.style.left = `${Math.max(MARGIN, Math.min(right - panel.offsetWidth, last)) - left}px`;
};

/** Listen for what places menus and what closes them, on the whole page. */
export const listenForMenus = (): void => {
  // The event "toggle" comes after the menu was seen where it was not placed yet.
  const opened = new MutationObserver(() => openMenus().forEach(place));
  opened.observe(document.body, { subtree: true, attributeFilter: ["open"] });
  document.addEventListener("pointerdown", closeOthers);
  document.addEventListener("focusin", closeOthers);
  document.addEventListener("keydown", ({ key, target }) => {
    const menu =
      key === "Escape" && target instanceof Element ? target.closest<HTMLDetailsElement>("details.menu") : null;
    if (!menu?.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
};
