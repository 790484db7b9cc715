/** Which siblings stand as one, and which of these the reader opened. */
import type { Rows } from "./payload.ts";

export class Folds {
  /** True if equal siblings are one. */
  folded = true;
  private readonly of: Int32Array;
  private readonly mergedRows: Set<number>;
  /** The first rows of folds that the reader opened. */
  private readonly opened = new Set<number>();

  constructor(
    private readonly data: Rows["folds"],
    size: number,
  ) {
    this.of = new Int32Array(size).fill(-1);
    this.mergedRows = new Set(data.merged);
    data.members.forEach((members, fold) => {
      for (const row of members) this.of[row] = fold;
    });
  }

  /** The fold that a row stands in now; -1 for none. */
  at(row: number): number {
    const fold = this.folded ? this.of[row]! : -1;
    return fold >= 0 && this.opened.has(this.first(fold)) ? -1 : fold;
  }

  members(fold: number): readonly number[] {
    return this.data.members[fold]!;
  }

  label(fold: number): string {
    return this.data.label[fold]!;
  }

  /** True for a container that stands under one name with the fold below it. */
  isMerged(row: number): boolean {
    return this.folded && this.mergedRows.has(row);
  }

  /** True if the row is one of those that an opened fold shows one by one. */
  isOpened(row: number): boolean {
    const fold = this.of[row]!;
    return fold >= 0 && this.opened.has(this.first(fold));
  }

  open(first: number): void {
    this.opened.add(first);
  }

  /** Fold again what stands around a row; false if nothing there was opened. */
  close(row: number): boolean {
    const fold = this.of[row]!;
    return fold >= 0 && this.opened.delete(this.first(fold));
  }

  /** The first rows of opened folds, for a link that restores the view. */
  openedRows(): number[] {
    return [...this.opened];
  }

  restore(folded: boolean, opened: readonly number[]): void {
    this.folded = folded;
    this.opened.clear();
    for (const row of opened) this.opened.add(row);
  }

  private first(fold: number): number {
    return this.data.members[fold]![0]!;
  }
}
