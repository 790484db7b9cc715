import { fromHash, toHash, type Shown } from "./state.ts";

/** Keeps the view in the page's address, so that a link and the Back button lead to it. */
export class Address {
  /** False while a view is being restored, which is no change of it. */
  private ready = false;

  constructor(
    private readonly usual: Shown,
    /** The selected module as a link calls it, and the view. */
    private readonly now: () => { name: string; shown: Shown },
  ) {}

  /** Write the view. A selection is a step that the Back button undoes; all else is not. */
  remember(step = false): void {
    if (!this.ready) return;
    const { name, shown } = this.now();
    const hash = `#${toHash(name, shown, this.usual)}`;
    if (hash === location.hash || (hash === "#" && !location.hash)) return;
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }

  /** Restore the view that the address tells, now and whenever the browser goes back or on. */
  follow(restore: (name: string, shown: Shown) => void): void {
    const read = (): void => {
      const found = fromHash(location.hash, this.usual);
      if (!found) return;
      this.ready = false;
      restore(found.name, found.shown);
      this.ready = true;
    };
    addEventListener("popstate", read);
    read();
    this.ready = true;
  }
}
