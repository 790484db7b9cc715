/** Tiles drawn as SVG: they can be read by a screen reader's user, tested, printed and exported as they are. */
import { svg } from "../shared/dom.ts";
import { fitted, FONTS, textWidth } from "../shared/measure.ts";
import type { Node } from "../model/tree.ts";
import type { Colour } from "./colours.ts";
import { holder, isPart, type Tile } from "./layout.ts";
import { marksOf } from "./marks.ts";
import { answering } from "./picture.ts";
import { visible } from "../shared/visible.ts";

export interface ChartOptions {
  element: HTMLElement;
  /** The tiles for a width in pixels, and the height that they take. */
  layout: (width: number) => { tiles: Tile[]; height: number };
  colour: (tile: Tile) => Colour;
  /** What the tile stands for, in full. */
  path: (tile: Tile) => string;
  title: (tile: Tile) => string;
  figure: (tile: Tile) => string;
  /** What the box at the pointer shows. */
  tip: (tile: Tile) => HTMLElement;
  /** What is said of a tile that the keyboard is on. */
  say: (tile: Tile) => string;
  /** The nodes that the search and the filters leave; null while they leave all. */
  found: Iterable<Node> | null;
  select: (node: Node) => void;
  up: () => void;
  top: () => void;
  /** Opens a fold, or folds again. */
  toggle: (node: Node) => void;
  hover: (tile: Tile | null) => void;
  spoken: HTMLElement;
}

const PADDING = 5;
const FIGURE_GAP = 8;

export class Chart {
  private tiles: Tile[] = [];
  private shapes: SVGGElement[] = [];
  private marked = -1;
  private drawn: SVGSVGElement | null = null;
  private readonly tip: HTMLElement;
  private width = 0;

  constructor(readonly options: ChartOptions) {
    const { element } = options;
    this.tip = answering(element, {
      key: (event) => this.key(event),
      blur: () => this.mark(-1),
      press: (event) => this.press(event),
      point: (event) => this.point(event),
      leave: () => options.hover(null),
      resized: () => {
        if (element.clientWidth && element.clientWidth !== this.width) this.draw();
      },
    });
  }

  /** The picture as it is now; null where there is nothing to draw. */
  get picture(): SVGSVGElement | null {
    return this.drawn;
  }

  /** Draw nothing, so that no earlier picture is taken for the one of now. */
  clear(): void {
    this.tiles = [];
    this.shapes = [];
    this.marked = -1;
    this.drawn = null;
    this.tip.hidden = true;
    this.options.element.replaceChildren();
  }

  draw(): void {
    const { element, layout } = this.options;
    this.width = element.clientWidth;
    if (!this.width) return;
    const { tiles, height } = layout(this.width);
    this.tiles = tiles;
    this.marked = -1;
    this.tip.hidden = true;
    this.shapes = tiles.map((tile, i) => this.shape(tile, i));
    this.drawn = svg(
      "svg",
      {
        width: this.width,
        height,
        viewBox: `0 0 ${this.width} ${height}`,
        "aria-hidden": "true",
        style: `font:${FONTS.tile}`,
      },
      ...this.shapes,
    );
    element.replaceChildren(this.drawn);
    this.look();
  }

  /** Dim what the search and the filters leave out. */
  look(): void {
    const { found } = this.options;
    const marks = found && marksOf(this.tiles, found);
    this.shapes.forEach((shape, i) => {
      const mark = marks?.get(this.tiles[i]!);
      shape.classList.toggle("dim", marks !== null && !mark);
      shape.classList.toggle("hit", mark === "hit");
      shape.classList.toggle("holds", mark === "holds");
    });
  }

  /** Light the tiles of which this is true, in step with the tables. */
  light(lit: ((tile: Tile) => boolean) | null): void {
    this.shapes.forEach((shape, i) => shape.classList.toggle("lit", Boolean(lit?.(this.tiles[i]!))));
  }

  private shape(tile: Tile, i: number): SVGGElement {
    const { colour, path, title, figure } = this.options;
    const { fill, ink, edge } = colour(tile);
    const width = Math.max(0.5, tile.width - 1.5);
    const height = Math.max(0.5, tile.height - 1.5);
    const group = svg("g", { class: tile.level < 0 ? "tile above" : "tile", "data-tile": i, "data-path": path(tile) });
    group.append(
      svg("rect", {
        x: tile.x + 0.5,
        y: tile.y + 0.5,
        width,
        height,
        rx: Math.min(3, width / 3),
        fill,
        stroke: edge ?? "none",
      }),
    );
    if (width < 14 || height < 13) return group;
    const room = width - 2 * PADDING;
    const text = visible(title(tile));
    const name = fitted(text.slice(0, 200), room, "tile");
    const value = figure(tile);
    const line = (content: string, y: number, more: Record<string, string> = {}): void => {
      group.append(svg("text", { x: tile.x + PADDING, y, fill: ink, ...more }, content));
    };
    const first = tile.y + (height < 30 || tile.open ? Math.min(height, tile.open ? 18 : height) / 2 + 4 : 16);
    if (name) line(name, first);
    const used = textWidth(name, "tile");
    if (name === text && room - used - FIGURE_GAP >= textWidth(value, "tile"))
      line(value, first, { x: String(tile.x + width - PADDING), "text-anchor": "end" });
    else if (name && height >= 34 && !tile.open && textWidth(value, "tile") <= room) line(value, first + 15);
    return group;
  }

  private at(target: EventTarget | null): number {
    const group = target instanceof Element ? target.closest<SVGGElement>("[data-tile]") : null;
    return group ? Number(group.dataset.tile) : -1;
  }

  private press(event: MouseEvent): void {
    const tile = this.tiles[this.at(event.target)];
    if (tile) this.choose(tile);
  }

  /** Zoom to a tile's node. What the selected node did itself has nothing below it to zoom to. */
  private choose(tile: Tile): void {
    if (!(isPart(tile) && tile.level === 1)) this.options.select(tile.node);
  }

  private point(event: PointerEvent): void {
    const place = this.at(event.target);
    const tile = this.tiles[place];
    this.options.hover(tile ?? null);
    this.tip.hidden = !tile || event.pointerType === "touch";
    if (!tile || this.tip.hidden) return;
    this.fillTip(tile);
    this.placeTip(event.clientX, event.clientY);
  }

  private fillTip(tile: Tile): void {
    this.tip.replaceChildren(this.options.tip(tile));
  }

  private placeTip(x: number, y: number): void {
    const { offsetWidth, offsetHeight } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - offsetWidth - 8))}px`;
    this.tip.style.top = `${y + 18 + offsetHeight > innerHeight ? Math.max(4, y - offsetHeight - 12) : y + 18}px`;
  }

  /** Arrows choose: left and right a sibling, down a child, up the tile above. */
  private key(event: KeyboardEvent): void {
    const { up, top, toggle } = this.options;
    const now = this.tiles[this.marked];
    if (event.key === "ArrowRight" || event.key === "ArrowLeft")
      this.mark(this.beside(event.key === "ArrowRight" ? 1 : -1));
    else if (event.key === "ArrowDown") this.mark(now ? this.childOf(now) : this.beside(1));
    else if (event.key === "ArrowUp" && now) this.mark(now.level > 1 ? this.placeOf(holder(now)) : -1);
    else if ((event.key === "Enter" || event.key === " ") && now) this.choose(now);
    else if (event.key === "Escape" || event.key === "Backspace") up();
    else if (event.key === "Home") top();
    else if (event.key === "o" && now) toggle(now.node);
    else return;
    event.preventDefault();
  }

  private placeOf(node: Node | null): number {
    return this.tiles.findIndex((tile) => tile.node === node && tile.level > 0 && !isPart(tile));
  }

  private childOf(tile: Tile): number {
    const place = isPart(tile) ? -1 : this.tiles.findIndex((one) => holder(one) === tile.node && one.level > 0);
    return place < 0 ? this.marked : place;
  }

  /** The next tile or the one before among those with the same tile above; at first one of the selected node's. */
  private beside(step: 1 | -1): number {
    const now = this.tiles[this.marked];
    const level = now?.level ?? 1;
    const same = this.tiles.flatMap((tile, i) =>
      tile.level === level && (!now || holder(tile) === holder(now)) ? [i] : [],
    );
    if (!same.length) return -1;
    if (!now) return step > 0 ? same[0]! : same[same.length - 1]!;
    return same[(same.indexOf(this.marked) + step + same.length) % same.length]!;
  }

  /** The keyboard's mark: lit in the chart, spoken to a screen reader. */
  private mark(place: number): void {
    this.shapes[this.marked]?.classList.remove("marked");
    this.marked = place;
    const tile = this.tiles[place];
    this.options.hover(tile ?? null);
    this.tip.hidden = !tile;
    if (!tile) return;
    const shape = this.shapes[place]!;
    shape.classList.add("marked");
    this.options.spoken.textContent = this.options.say(tile);
    shape.scrollIntoView({ block: "nearest" });
    this.fillTip(tile);
    const box = shape.getBoundingClientRect();
    this.placeTip(box.left, box.bottom);
  }
}
