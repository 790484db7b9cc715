/** Where tiles lie: an icicle, in which a module lies above its children, or a treemap, in which it holds them. */
import { hierarchy, treemap, treemapSquarify, type HierarchyNode, type HierarchyRectangularNode } from "d3-hierarchy";
import type { Node } from "../model/tree.ts";

export type View = "icicle" | "treemap";

/** A rectangle of the chart. */
export interface Tile {
  node: Node;
  /** The operator that it stands for, where it is a part of what the node did itself. */
  operator: string | null;
  value: number;
  x: number;
  y: number;
  width: number;
  height: number;
  /** How many children of the node it stands for that are too small for tiles of their own; 0 for a tile of one. */
  rest: number;
  /** Levels below the selected node; those above it are negative. */
  level: number;
  /** True if the tiles of its children lie in it, as in a treemap. */
  open: boolean;
}

/** What a layout asks of the tree. */
export interface Figures {
  value: (node: Node) => number;
  under: (node: Node) => Node[];
  /** What the selected node did itself, by operator. */
  own: (node: Node) => { operator: string; value: number }[];
}

/** True for a tile of a part of its node: what it did itself, or children that are too small for tiles. */
export const isPart = ({ operator, rest }: Tile): boolean => operator !== null || rest > 0;

/** The node in whose tile, or below which, a tile lies. */
export const holder = (tile: Tile): Node | null => (isPart(tile) ? tile.node : tile.node.above);

const ROWS = { least: 26, most: 40, together: 340 }; // pixels: of a level of the icicle, and of all where there is room
const THINNEST = 1.5; // pixels, of an icicle's tile
const SMALLEST = 14; // square pixels, of a treemap's tile
const OPENED = 2400; // square pixels from which a tile of the treemap shows its children
const HEADER = 18;
const DEEPEST = 60;
const MOST_TILES = 4000;
const MOST_ABOVE = 7; // levels of the icicle down to the selected node; the trail has all

/** The selected node across the whole width below those above it, and below it all that it holds, a level a row. */
export const icicle = (selected: Node, trail: Node[], width: number, { value, under, own }: Figures): Tile[] => {
  const tiles: Tile[] = [];
  const nearest = trail.slice(-MOST_ABOVE);
  const top = nearest.length - 1;
  for (const [i, node] of nearest.entries())
    tiles.push({
      node,
      operator: null,
      value: value(node),
      x: 0,
      y: i,
      width,
      height: 1,
      rest: 0,
      level: i - top,
      open: false,
    });
  const scale = width / (value(selected) || 1);
  // Level by level, so that a limit leaves out what lies deepest.
  let level: [Node, number][] = [[selected, 0]];
  for (let depth = 1; level.length && depth <= DEEPEST && tiles.length < MOST_TILES; depth += 1) {
    const next: [Node, number][] = [];
    for (const [above, start] of level) {
      const put = (node: Node, operator: string | null, size: number, at: number, rest = 0): void =>
        void tiles.push({
          node,
          operator,
          value: size,
          x: at,
          y: top + depth,
          width: size * scale,
          height: 1,
          rest,
          level: depth,
          open: false,
        });
      let x = start;
      // Neighbours that are too thin to be seen are one tile together.
      let thin = { number: 0, size: 0, x };
      const putThin = (): void => {
        if (thin.size * scale >= THINNEST) put(above, null, thin.size, thin.x, thin.number);
        thin = { number: 0, size: 0, x };
      };
      for (const node of under(above)) {
        const size = value(node);
        if (size * scale >= THINNEST) {
          putThin();
          put(node, null, size, x);
          next.push([node, x]);
          x += size * scale;
          thin.x = x;
        } else if (size > 0) {
          thin = { ...thin, number: thin.number + 1, size: thin.size + size };
          x += size * scale;
        }
      }
      putThin();
      if (above !== selected) continue;
      for (const part of own(selected)) {
        if (part.value * scale >= THINNEST) put(selected, part.operator, part.value, x);
        x += part.value * scale;
      }
    }
    level = next;
  }
  const levels = tiles.reduce((most, { level: at }) => Math.max(most, at), 0) + top + 1;
  const row = Math.max(ROWS.least, Math.min(ROWS.most, Math.floor(ROWS.together / levels)));
  for (const tile of tiles) {
    tile.y *= row;
    tile.height = row;
  }
  return tiles;
};

interface Place {
  node: Node;
  operator: string | null;
  value: number;
  rest: number;
  open: boolean;
  parts: Place[];
}

export const nested = (selected: Node, width: number, height: number, { value, under, own }: Figures): Tile[] => {
  const whole = value(selected) || 1;
  const area = (size: number): number => (width * height * size) / whole;
  let room = MOST_TILES;
  const place = (node: Node, depth: number): Place => {
    const size = value(node);
    const found: Place = { node, operator: null, value: size, rest: 0, open: depth === 0, parts: [] };
    if (depth > 0 && (area(size) < OPENED || depth > 12)) return found;
    let inside = 0;
    let small = { number: 0, size: 0 };
    for (const child of under(node)) {
      const part = value(child);
      inside += part;
      if (area(part) < SMALLEST || room <= 0) {
        if (part > 0) small = { number: small.number + 1, size: small.size + part };
        continue;
      }
      room -= 1;
      found.parts.push(place(child, depth + 1));
    }
    if (area(small.size) >= SMALLEST)
      found.parts.push({ node, operator: null, value: small.size, rest: small.number, open: false, parts: [] });
    found.open = found.parts.length > 0 || depth === 0;
    const parts = depth === 0 ? own(node) : [];
    for (const part of parts)
      if (area(part.value) >= SMALLEST)
        found.parts.push({ node, operator: part.operator, value: part.value, rest: 0, open: false, parts: [] });
    const rest = size - inside;
    // What an inner node did itself is a tile without a name, so that areas are right.
    if (!parts.length && found.parts.length && area(rest) >= SMALLEST)
      found.parts.push({ node, operator: "", value: rest, rest: 0, open: false, parts: [] });
    return found;
  };
  const root: HierarchyNode<Place> = hierarchy(place(selected, 0), ({ parts }) => parts);
  root.sum(({ parts, value: size }) => (parts.length ? 0 : size)).sort((a, b) => b.value! - a.value!);
  const laid: HierarchyRectangularNode<Place> = treemap<Place>()
    .size([width, height])
    .tile(treemapSquarify.ratio(1.4))
    .paddingInner(2)
    .paddingOuter((at) => (at.depth ? 3 : 0))
    .paddingTop((at) => (at.depth && at.children ? HEADER : at.depth ? 3 : 0))(root);
  return laid
    .descendants()
    .filter((at) => at.depth > 0 && at.x1 - at.x0 > 1 && at.y1 - at.y0 > 1)
    .map((at) => ({
      node: at.data.node,
      operator: at.data.operator,
      value: at.data.value,
      rest: at.data.rest,
      x: at.x0,
      y: at.y0,
      width: at.x1 - at.x0,
      height: at.y1 - at.y0,
      level: at.depth,
      open: Boolean(at.children),
    }));
};
