/** What a picture that can be pointed at, pressed and walked through by keys answers to. */
import { el } from "../shared/dom.ts";

export interface Answers {
  key: (event: KeyboardEvent) => void;
  /** The keyboard went elsewhere. */
  blur: () => void;
  press: (event: MouseEvent) => void;
  point: (event: PointerEvent) => void;
  /** The pointer went elsewhere. */
  leave: () => void;
  /** The element may have another width now. */
  resized: () => void;
}

/** Lets an element answer, and gives the box that stands at the pointer: it is hidden when the pointer leaves. */
export const answering = (element: HTMLElement, answers: Answers): HTMLElement => {
  const tip = el("div", { class: "tip panel", "aria-hidden": "true", hidden: true });
  document.body.append(tip);
  element.addEventListener("keydown", answers.key);
  element.addEventListener("blur", answers.blur);
  element.addEventListener("click", answers.press);
  element.addEventListener("pointermove", answers.point);
  element.addEventListener("pointerleave", () => {
    tip.hidden = true;
    answers.leave();
  });
  new ResizeObserver(answers.resized).observe(element);
  return tip;
};
