/** Widths of text in pixels, so that no column or tile is guessed. */

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace';

/** The page's fonts, as CSS and canvas write them. */
export const FONTS = { body: `14px ${SANS}`, head: `600 13px ${SANS}`, tile: `12px ${SANS}`, mono: `13px ${MONO}` };
export type Font = keyof typeof FONTS;

let pen: CanvasRenderingContext2D | null | undefined;
const known = new Map<string, number>();

/** The width of `text` in a font, in pixels. */
export const textWidth = (text: string, font: Font): number => {
  const key = `${font}${text}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  pen ??= document.createElement("canvas").getContext("2d");
  if (pen) pen.font = FONTS[font];
  const width = pen?.measureText(text).width ?? text.length * 8;
  if (known.size > 20_000) known.clear();
  known.set(key, width);
  return width;
};

/**
 * A name in the pixels that there are: whole, or its beginning and its end around an ellipsis, or nothing.
 *
 * A name is never cut into what could be another one: "10" is not shown as "1", nor "layer12" as "layer1". Where an
 * ellipsis stands, at least two letters of the name stand on each side of it.
 */
export const fitted = (text: string, room: number, font: Font): string => {
  if (textWidth(text, font) <= room) return text;
  const letters = [...text];
  for (let kept = Math.min(letters.length - 1, 60); kept >= 4; kept -= 1) {
    const end = Math.max(2, Math.floor(kept / 2));
    const cut = `${letters.slice(0, kept - end).join("")}…${letters.slice(-end).join("")}`;
    if (textWidth(cut, font) <= room) return cut;
  }
  return "";
};
