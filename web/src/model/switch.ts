import { byId, options } from "../shared/dom.ts";

/**
 * Offer the runs that the whole page can show, in the select #run.
 *
 * Args:
 *   offered: the place of each run, and what it is called.
 *   several: false hides the switch, where there is nothing to switch to.
 *   choose: shows the run of a place.
 */
export const offerRuns = (
  offered: readonly (readonly [place: number, label: string])[],
  several: boolean,
  choose: (place: number) => void,
): void => {
  const box = byId<HTMLSelectElement>("run");
  options(
    box,
    offered.map(([place, label]) => [String(place), label] as const),
  );
  byId("run-label").hidden = !several;
  box.addEventListener("change", () => choose(Number(box.value)));
};
