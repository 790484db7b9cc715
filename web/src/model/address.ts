import { byId } from "../shared/dom.ts";
import { visible } from "../shared/visible.ts";

/** How a page's view is written behind the "#" of an address. */
export interface Form<View> {
  /** The view as it is now, without the "#". */
  write: () => string;
  /** The view of an address, "#" included; null for one that cannot be read. */
  read: (hash: string) => View | null;
  /** What an address shows that says nothing. */
  usual: View;
}

/** Keeps the view in the page's address, so that a link and the Back button lead to it. */
export class Address<View> {
  /** False while a view is being restored, which is no change of it. */
  private ready = false;

  constructor(private readonly form: Form<View>) {}

  private tell(gone: string[]): void {
    const note = byId("gone");
    note.hidden = !gone.length;
    note.textContent = visible(`The link leads to what this page does not have: ${gone.join(", ")}.`);
  }

  /** Write the view. A selection is a step that the Back button undoes; all else is not. */
  remember(step = false): void {
    if (!this.ready) return;
    const hash = `#${this.form.write()}`;
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
  follow(restore: (view: View) => string[]): void {
    const read = (): void => {
      const found = this.form.read(location.hash);
      this.ready = false;
      const gone = restore(found ?? this.form.usual);
      this.tell(found ? gone : ["a view that can be read"]);
      this.ready = true;
    };
    addEventListener("popstate", read);
    read();
    this.ready = true;
  }
}
