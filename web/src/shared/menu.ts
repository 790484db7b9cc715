/** Menus are details elements of the class "menu". Escape closes one, and so does a press or a focus elsewhere. */

const openMenus = (): HTMLDetailsElement[] => [...document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")];

const closeOthers = ({ target }: Event): void => {
  for (const menu of openMenus()) if (!(target instanceof Node && menu.contains(target))) menu.open = false;
};

/** Listen for what closes menus, on the whole page. */
export const listenForMenus = (): void => {
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
