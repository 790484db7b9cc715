/** The chart and the table as files. */
import { el } from "../shared/dom.ts";
import { color } from "../shared/theme.ts";

/** Hand a file to the reader. */
export const download = (name: string, content: Blob): void => {
  const link = el("a", { href: URL.createObjectURL(content), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

/** A name that any file system takes: of a title, and of what tells the file from others of the page. */
export const fileName = (parts: readonly string[], ending: string): string => {
  // Each part is cut on its own, so that a long title leaves the others in the name.
  const [title, ...others] = parts.map((part) => part.replace(/[^\w.-]+/g, "_").slice(0, 60));
  return `${[title || "report", ...others].filter(Boolean).join("_")}.${ending}`;
};

/** What the page's style sheet says of shapes, which a file has no part of. */
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray"] as const;

/** The picture as it is shown, with a ground of its own, as text. */
export const svgText = (picture: SVGSVGElement): string => {
  const copy = picture.cloneNode(true) as SVGSVGElement;
  const shown = picture.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((shape, i) => {
    const look = getComputedStyle(shown[i]!);
    for (const name of LOOKS) {
      const value = look.getPropertyValue(name);
      if (value) shape.setAttribute(name, value);
    }
    for (const name of ["class", "data-tile", "data-path"]) shape.removeAttribute(name);
  });
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill: color("panel") }))
    ground.setAttribute(name, value);
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
};

/** The picture as a PNG with twice as many pixels, for a sharp print. */
export const pngBlob = async (picture: SVGSVGElement): Promise<Blob> => {
  const image = new Image();
  // The page's policy lets images in from data: alone.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(picture))}`;
  await image.decode();
  const canvas = el("canvas", { width: picture.clientWidth * 2, height: picture.clientHeight * 2 });
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("the browser has no canvas to draw the picture on");
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the browser made no picture"))), "image/png");
  });
};
