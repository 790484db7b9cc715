/** What the frame around every page does, as frame.html has it: the theme, the menus, the link to the table. */
import { byId } from "./dom.ts";
import { listenForMenus } from "./menu.ts";
import { followTheme } from "./theme.ts";

/** `redraw` runs when the theme has changed. */
export const listenToFrame = (redraw: () => void): void => {
  listenForMenus();
  followTheme(redraw);
  const skip = byId<HTMLAnchorElement>("skip");
  skip.addEventListener("click", (event) => {
    event.preventDefault(); // what stands behind "#" in the address is the view
    byId(skip.hash.slice(1)).focus();
  });
};
