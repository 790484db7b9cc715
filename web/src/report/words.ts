/** Words that several parts of the page end with. */
import type { Tree } from "../model/tree.ts";

/** What the title of a table ends with that stays as it is when a phase, a sample or a rank is chosen. */
export const wholeBlock = ({ runs }: Tree): string => (runs.length > 1 ? " in the whole block" : "");
