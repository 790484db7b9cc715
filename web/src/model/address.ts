import { byId } from "../shared/dom.ts";
import { visible } from "../shared/visible.ts";
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

  private tell(gone: string[]): void {
    const note = byId("gone");
    note.hidden = !gone.length;
    note.textContent = visible(`The link leads to what this page does not have: ${gone.join(", ")}.`);
  }

  /** Write the view. A selection is a step that the Back button undoes; all else is not. */
  remember(step = false): void {
    if (!this.ready) return;
    const { name, shown } = this.now();
    const hash = `#${toHash(name, shown, this.usual)}`;
    if (hash === location.hash || (hash === "#" && !location.hash)) return;
    if (step) {
      this.tell([]);
      history.pushState(null, "", hash);
    } else history.replaceState(null, "", hash);
  }

  /**
   * Restore the view that the address tells, now and whenever the browser goes back or on.
   *
   * `restore` returns what of it the page does not have, in words. The reader is told of it; all else is as it was.
   */
  follow(restore: (name: string, shown: Shown) => string[]): void {
    const read = (): void => {
      const found = fromHash(location.hash, this.usual);
      this.ready = false;
      const gone = restore(found?.name ?? "", found?.shown ?? this.usual);
      this.tell(found ? gone : ["a view that can be read"]);
      this.ready = true;
    };
    addEventListener("popstate", read);
    read();
    this.ready = true;
  }
}
