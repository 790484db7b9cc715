/** Which tiles a search marks. */
import type { Node } from "../model/tree.ts";
import { isPart, type Tile } from "./layout.ts";

/** A tile of a node that was found, or a tile of others in which one lies that is too small for a tile of its own. */
export type Mark = "hit" | "holds";

/**
 * The marks of tiles for the nodes that were found.
 *
 * A node without a tile is marked at the smallest tile that it is part of, so that no search finds nothing in a chart
 * that has it.
 */
export const marksOf = (tiles: readonly Tile[], found: Iterable<Node>): Map<Tile, Mark> => {
  const own = new Map<Node, Tile[]>();
  const rests = new Map<Node, Tile>();
  for (const tile of tiles) {
    if (tile.rest) rests.set(tile.node, tile);
    else own.set(tile.node, [...(own.get(tile.node) ?? []), tile]);
  }
  const marks = new Map<Tile, Mark>();
  for (const node of found) {
    const hits = own.get(node);
    if (hits) for (const tile of hits) marks.set(tile, "hit");
    else {
      const tile = around(node, own, rests);
      if (tile && !marks.has(tile)) marks.set(tile, "holds");
    }
  }
  return marks;
};

/** The smallest tile that a node without one is part of. */
const around = (node: Node, own: Map<Node, Tile[]>, rests: Map<Node, Tile>): Tile | undefined => {
  for (let at = node.above; at; at = at.above) {
    const tile = rests.get(at) ?? own.get(at)?.find((one) => !isPart(one));
    if (tile) return tile;
  }
  return undefined;
};
