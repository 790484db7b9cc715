/** Elements of the page. Text goes in as text, never as markup: names of modules may hold anything. */
import { visible } from "./visible.ts";

type Value = string | number | boolean | null | undefined | ((event: never) => void);
type Child = Node | string | null | undefined | false;

const NAMESPACE = "http://www.w3.org/2000/svg";

const fill = <E extends Element>(node: E, attributes: Record<string, Value>, children: Child[]): E => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value as EventListener);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) node.append(typeof child === "string" ? visible(child) : child);
  return node;
};

/** An HTML element. An attribute that is a function listens: `onclick`. One that is false or null is left out. */
export const el = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] => fill(document.createElement(tag), attributes, children);

/** An SVG element, as `el`. */
export const svg = <K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): SVGElementTagNameMap[K] => fill(document.createElementNS(NAMESPACE, tag), attributes, children);

/** The element of the page's template with this id. */
export const byId = <E extends HTMLElement = HTMLElement>(id: string): E => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as E;
};

/** A small fact about the run, for the list below the page's title. */
export const chip = (label: string, value: string | number): HTMLLIElement =>
  el("li", { title: `${label}: ${value}` }, el("b", {}, label), el("bdi", {}, ` ${value}`));

/** The options of a select, with one of them chosen. */
export const options = (
  select: HTMLSelectElement,
  values: Iterable<readonly [string, string]>,
  chosen?: string,
): void => {
  select.replaceChildren(
    ...[...values].map(([value, label]) => el("option", { value, selected: value === chosen }, label)),
  );
};

/** Choose an option by its value, or the first one where there is none of that value; false then. */
export const pick = (select: HTMLSelectElement, value: string): boolean => {
  select.value = value;
  if (select.selectedIndex >= 0) return true;
  select.selectedIndex = 0;
  return false;
};
